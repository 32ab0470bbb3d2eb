"""The day as data: what is seen, said and done, when, and what may be asked about it.

The day has twelve scenes of `SCENE_SECONDS`. In the first `DWELL_SECONDS` of a scene the robot
stands still and two things happen in two different streams; then it drives to the next place, and
nothing happens that is worth keeping. So an episode cut by silence holds two facts, one cut by
size a few more.

A `Fact` is named by its id; a question names the fact it is about, or none if the robot never
saw the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SCENE_SECONDS = 24.0
DWELL_SECONDS = 15.0
TAIL_SECONDS = 4.0

#: 20 November 2026, 08:00:00 UTC, in nanoseconds: the first stamp of the bag.
START_STAMP = 1_795_161_600_000_000_000

MARKER_NAMES = {7: "charging dock"}


@dataclass(frozen=True)
class Voice:
    """An espeak-ng voice: `pace` in words per minute, `pitch` from 0 to 99."""

    name: str
    pace: int
    pitch: int


VOICES = {"Edith": Voice("en-gb+f3", 120, 55), "Tom": Voice("en-us+m3", 125, 40)}


@dataclass(frozen=True)
class View:
    """Where the robot stands and looks: metres and degrees in frame `map`, x east, y north."""

    room: str
    x: float
    y: float
    yaw: float
    pitch: float = 0.0


@dataclass(frozen=True)
class Sight:
    """A sign or label fixed to the home: `lines` of text, an ArUco `marker` below them, or both.

    `x, y, z` is its centre [m], `yaw` where its face looks [deg], `width, height` in metres.
    """

    fact: str
    x: float
    y: float
    z: float
    yaw: float
    width: float
    height: float
    lines: tuple[str, ...] = ()
    marker: int | None = None
    ink: tuple[int, int, int] = (25, 25, 30)
    paper: tuple[int, int, int] = (250, 248, 240)
    framed: bool = True


@dataclass(frozen=True)
class Utterance:
    """Something said, `at` seconds after the scene begins."""

    fact: str
    at: float
    speaker: str
    text: str


@dataclass(frozen=True)
class Call:
    """A finished tool call, `at` seconds after the scene begins; `duration` in seconds."""

    fact: str
    at: float
    name: str
    arguments: dict[str, object]
    result: dict[str, object]
    duration: float
    success: bool = True


@dataclass(frozen=True)
class Scene:
    """One place of the day and what happens there."""

    view: View
    sight: Sight | None = None
    utterance: Utterance | None = None
    call: Call | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        """Ids of the facts of this scene."""
        return tuple(
            part.fact for part in (self.sight, self.utterance, self.call) if part is not None
        )


@dataclass(frozen=True)
class Question:
    """A question, its accepted answers and the fact that holds them; no fact: unknowable."""

    text: str
    answers: tuple[str, ...] = field(default=())
    fact: str | None = None


SCENES: tuple[Scene, ...] = (
    Scene(
        View("kitchen", 1.15, 6.35, 180.0),
        sight=Sight(
            "dentist",
            0.06,
            6.35,
            1.3,
            0.0,
            0.72,
            0.5,
            ("Tom", "dentist", "Monday", "at 9:30"),
            ink=(150, 25, 30),
        ),
        utterance=Utterance("tea", 7.0, "Edith", "I take my tea very weak."),
    ),
    Scene(
        View("kitchen", 4.4, 6.2, 90.0),
        sight=Sight(
            "milk",
            4.4,
            7.25,
            1.3,
            270.0,
            0.56,
            0.44,
            ("Milk", "best before", "24 November"),
            paper=(255, 244, 150),
            framed=False,
        ),
        call=Call(
            "list",
            8.0,
            "add_to_list",
            {"list": "Edith", "item": "olive oil"},
            {"state": "ok"},
            0.3,
        ),
    ),
    Scene(
        View("kitchen", 3.2, 4.7, 108.5, -8.0),
        utterance=Utterance("allergy", 3.0, "Tom", "I am allergic to peanuts."),
        call=Call(
            "timer", 9.0, "set_timer", {"label": "oven", "minutes": 25}, {"state": "ok"}, 0.1
        ),
    ),
    Scene(
        View("living room", 8.35, 6.0, 8.0, 4.0),
        sight=Sight(
            "piano",
            9.46,
            6.0,
            1.42,
            180.0,
            0.64,
            0.44,
            ("Piano", "lesson", "at 16:00"),
            ink=(20, 45, 120),
        ),
        utterance=Utterance("colour", 7.0, "Tom", "My favorite color is green."),
    ),
    Scene(
        View("living room", 8.8, 4.65, 0.0, -2.0),
        sight=Sight(
            "albums",
            9.94,
            4.65,
            1.38,
            180.0,
            0.62,
            0.44,
            ("Photo", "albums", "shelf C4"),
            ink=(20, 80, 35),
        ),
        call=Call(
            "light",
            8.0,
            "set_light",
            {"room": "hallway", "colour": "orange"},
            {"state": "ok"},
            0.2,
        ),
    ),
    Scene(
        View("living room", 6.3, 5.0, 65.0, -6.0),
        utterance=Utterance("daughter", 3.0, "Edith", "My daughter is called Helen."),
        call=Call(
            "car_keys", 9.5, "find_object", {"name": "car keys"}, {"location": "blue bowl"}, 2.4
        ),
    ),
    Scene(
        View("hallway", 6.0, 1.15, 270.0),
        sight=Sight(
            "wifi",
            6.0,
            0.06,
            1.35,
            90.0,
            0.68,
            0.44,
            ("Wifi", "password", "sunflower"),
            ink=(240, 245, 250),
            paper=(30, 80, 140),
        ),
        utterance=Utterance(
            "glasses", 7.0, "Edith", "My reading glasses are in the kitchen drawer."
        ),
    ),
    Scene(
        View("hallway", 8.2, 1.0, 0.0, -2.0),
        sight=Sight(
            "box",
            9.26,
            1.0,
            1.16,
            180.0,
            0.62,
            0.4,
            ("Box B27", "Christmas", "lights"),
            paper=(245, 240, 225),
            framed=False,
        ),
        call=Call("parcel", 8.0, "track_parcel", {"id": "K58"}, {"location": "Bristol"}, 1.2),
    ),
    Scene(
        View("hallway", 7.9, 1.9, 270.0),
        utterance=Utterance("ladder", 3.0, "Tom", "The ladder is behind the shed."),
        call=Call(
            "attic",
            9.5,
            "navigate_to",
            {"goal": "attic"},
            {"error": "door locked"},
            6.5,
            success=False,
        ),
    ),
    Scene(
        View("hallway", 8.75, 3.1, 0.0),
        sight=Sight(
            "dock",
            9.94,
            3.1,
            1.25,
            180.0,
            0.62,
            0.62,
            ("Vacuum cleaner",),
            marker=7,
            framed=False,
        ),
        utterance=Utterance("food", 7.0, "Tom", "My favorite food is lasagna."),
    ),
    Scene(
        View("bedroom", 3.3, 1.3, 270.0),
        sight=Sight(
            "pills",
            3.3,
            0.235,
            1.3,
            90.0,
            0.6,
            0.42,
            ("Edith", "heart pills", "at 20:30"),
            ink=(170, 20, 40),
            framed=False,
        ),
        call=Call(
            "thermostat",
            8.0,
            "set_thermostat",
            {"room": "bedroom", "temperature": 19},
            {"state": "ok"},
            0.4,
        ),
    ),
    Scene(
        View("bedroom", 3.4, 2.6, 215.0, -10.0),
        utterance=Utterance("doctor", 3.0, "Edith", "My doctor is called Miller."),
        call=Call(
            "music",
            9.0,
            "play_music",
            {"title": "The Blue River", "room": "bedroom"},
            {"state": "playing"},
            0.6,
        ),
    ),
)

QUESTIONS: tuple[Question, ...] = (
    Question("How does Edith take her tea?", ("very weak", "weak"), "tea"),
    Question("What is Tom allergic to?", ("peanuts", "peanut"), "allergy"),
    Question("What is Tom's favourite colour?", ("green",), "colour"),
    Question("What is the name of Edith's daughter?", ("Helen",), "daughter"),
    Question("Where are Edith's reading glasses?", ("kitchen drawer",), "glasses"),
    Question("Where is the ladder?", ("behind the shed", "shed"), "ladder"),
    Question("What is Tom's favourite food?", ("lasagna", "lasagne"), "food"),
    Question("What is the name of Edith's doctor?", ("Miller",), "doctor"),
    Question("When is Tom's dentist appointment?", ("Monday at 9:30", "Monday 9:30"), "dentist"),
    Question("When does the milk expire?", ("24 November", "November 24"), "milk"),
    Question("At what time is the piano lesson?", ("16:00",), "piano"),
    Question("Which shelf are the photo albums on?", ("C4",), "albums"),
    Question("What is the wifi password?", ("sunflower",), "wifi"),
    Question("What is in box B27?", ("Christmas lights",), "box"),
    Question("Where is the vacuum cleaner?", ("charging dock",), "dock"),
    Question("When does Edith take her heart pills?", ("20:30",), "pills"),
    Question("What was added to Edith's list?", ("olive oil",), "list"),
    Question("For how many minutes was the oven timer set?", ("25",), "timer"),
    Question("What colour is the light in the hallway?", ("orange",), "light"),
    Question("Where are the car keys?", ("blue bowl",), "car_keys"),
    Question("Where is parcel K58?", ("Bristol",), "parcel"),
    Question("Why did driving to the attic fail?", ("door locked", "door was locked"), "attic"),
    Question("What temperature was set in the bedroom?", ("19",), "thermostat"),
    Question("What was played in the bedroom?", ("Blue River",), "music"),
    Question("What is the name of the neighbour's dog?"),
    Question("When does the train to Lisbon leave?"),
    Question("Who repaired the church organ?"),
    Question("How much does the red bicycle cost?"),
)


def duration() -> float:
    """Length of the day in seconds of bag time."""
    return len(SCENES) * SCENE_SECONDS + TAIL_SECONDS


def streams() -> dict[str, str]:
    """Fact id → modality that carries it: camera, audio or tool."""
    found: dict[str, str] = {}
    for scene in SCENES:
        if scene.sight:
            found[scene.sight.fact] = "camera"
        if scene.utterance:
            found[scene.utterance.fact] = "audio"
        if scene.call:
            found[scene.call.fact] = "tool"
    return found
