"""A four-room home as a MuJoCo model: rooms, furniture, lamps, and the day's signs and markers.

Frame `map`: x east, y north, z up, metres; the house is 10 m x 8 m.

    +-----------+-----------+ y = 8
    |  kitchen  =  living   |
    |           |   room    |
    +-----------+-----=-----+ y = 4      = is an open doorway
    |  bedroom  =  hallway  |
    +-----------+-----------+ y = 0
    x = 0       5          10

Nothing moves, so the model has no joints; the robot is only its camera.
"""

from __future__ import annotations

from sim import furniture, textures
from sim.script import SCENES, Sight
from sim.shapes import panel

#: Middle of the doorway between two rooms [m].
DOORS: dict[frozenset[str], tuple[float, float]] = {
    frozenset(("kitchen", "living room")): (5.0, 5.2),
    frozenset(("living room", "hallway")): (7.4, 4.0),
    frozenset(("hallway", "bedroom")): (5.0, 2.2),
}

FIELD_OF_VIEW = 56.0  # vertical [deg]

_PAINTS: dict[str, tuple[int, int, int]] = {
    "plaster": (226, 220, 208),
    "kitchen_wall": (216, 222, 198),
    "living_wall": (226, 206, 182),
    "bedroom_wall": (190, 204, 220),
    "ceiling": (242, 241, 238),
    "white": (240, 240, 236),
    "steel": (176, 180, 184),
    "black": (38, 38, 42),
    "worktop": (92, 86, 82),
    "fabric": (86, 108, 120),
    "cushion": (206, 130, 70),
    "linen": (232, 230, 222),
    "cardboard": (176, 136, 92),
    "leaf": (62, 122, 58),
    "clay": (172, 92, 62),
    "brass": (190, 158, 92),
    "blue": (50, 84, 160),
    "red": (160, 48, 44),
}

_REPEATS = {"tiles": "3 2.4", "oak": "3 2.4"}  # of the texture over the whole floor of a room
_SHINY = ("steel", "brass", "tiles")


def build() -> tuple[str, dict[str, bytes]]:
    """The home as MJCF text and the PNG files its textures name."""
    images = {
        name: textures.plain(paint, seed) for seed, (name, paint) in enumerate(_PAINTS.items())
    }
    images |= {
        "oak": textures.planks((176, 128, 82), 11),
        "oak_wood": textures.planks((168, 118, 74), 14, rows=4),
        "walnut": textures.planks((112, 76, 50), 12, rows=3),
        "pine": textures.planks((206, 166, 112), 13, rows=3),
        "tiles": textures.tiles((208, 202, 190), (158, 164, 162)),
        "rug": textures.stripes((148, 60, 52), (214, 188, 146)),
        "blanket": textures.stripes((92, 110, 150), (212, 214, 220), 5),
        "painting": textures.landscape(5),
        "window": textures.landscape(8),
        "clock": textures.clock_face(8, 10),
    }
    body = [
        *furniture.walls(),
        *furniture.kitchen(),
        *furniture.living_room(),
        *furniture.hallway(),
        *furniture.bedroom(),
    ]
    for sight in (scene.sight for scene in SCENES if scene.sight is not None):
        name = f"sight_{sight.fact}"
        images[name] = picture(sight)
        at = (sight.x, sight.y, sight.z)
        body.append(panel(name, at, sight.yaw, sight.width, sight.height, sight.framed))
    assets = {f"{name}.png": textures.png(image) for name, image in images.items()}
    return _document(list(images), body), assets


def picture(sight: Sight) -> textures.Image:
    """What is printed on a sign: text, a marker, or a marker below text."""
    aspect = sight.width / sight.height
    if sight.marker is None:
        return textures.sign(sight.lines, sight.ink, sight.paper, aspect)
    return textures.marker_card(sight.marker, sight.lines, aspect)


def _document(surfaces: list[str], body: list[str]) -> str:
    looks = [
        f'<texture name="{name}" type="2d" file="{name}.png"/>'
        f'<material name="{name}" texture="{name}" texrepeat="{_REPEATS.get(name, "1 1")}" '
        f'specular="{0.4 if name in _SHINY else 0.05}" shininess="0.4" '
        f'emission="{0.3 if name == "ceiling" else 0}"/>'
        for name in surfaces
    ]
    lights = [
        f'<light pos="{x} {y} 2.4" dir="0 0 -1" cutoff="89" exponent="0.5" '
        'diffuse="0.5 0.48 0.44" specular="0.15 0.15 0.15" attenuation="1 0 0.05"/>'
        for x, y in ((2.4, 6.0), (7.3, 6.0), (2.4, 2.0), (7.4, 2.0))
    ]
    return f"""<mujoco model="home">
  <visual>
    <global fovy="{FIELD_OF_VIEW}" offwidth="1280" offheight="960"/>
    <headlight ambient="0.45 0.44 0.43" diffuse="0.25 0.25 0.25" specular="0 0 0"/>
    <quality shadowsize="1024" numquads="6" offsamples="4"/>
    <map znear="0.005" zfar="3"/>
  </visual>
  <statistic extent="10" center="5 4 1"/>
  <asset>
    {"".join(looks)}
    <material name="glow" rgba="1 0.95 0.8 1" emission="0.9"/>
  </asset>
  <worldbody>
    {"".join(lights)}
    {"".join(body)}
  </worldbody>
</mujoco>"""
