"""A window holds what overlaps it in time and lies near it in space; the unknown lies outside."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.encryption import Cipher
from universal_memory.experience.event import Event, Modality, Pose
from universal_memory.memory.ledger import Ledger
from universal_memory.memory.record import Provenance, Record
from universal_memory.memory.window import Place, Window, WindowError

UPRIGHT = (0.0, 0.0, 0.0, 1.0)
stamps = st.integers(1, 40)
bounds = st.none() | stamps
metres = st.integers(-3, 3).map(float)
heights = metres | st.just(math.nan)
places = st.none() | st.builds(
    Place, st.just("map"), st.tuples(metres, metres, heights), st.sampled_from([0.5, 1.0, 2.5])
)
poses = st.none() | st.builds(
    Pose, st.sampled_from(["map", "odom"]), st.tuples(metres, metres, metres), st.just(UPRIGHT)
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    after, before = draw(bounds), draw(bounds)
    if after and before:
        after, before = sorted((after, before))
    return Window(after, before, draw(places))


@st.composite
def origins(draw: st.DrawFn) -> Provenance:
    """Of memories that were experienced at known stamps, and of some that were not."""
    start, end = sorted((draw(stamps), draw(stamps)))
    if draw(st.integers(0, 4)) == 0:
        start = end = 0
    pose = draw(poses)
    return Provenance(
        start_stamp=start, end_stamp=end, pose=None if pose is None else vars(pose)
    )


def as_defined(window: Window, origin: Provenance) -> bool:
    """The definition, moment by moment and axis by axis."""
    lived = range(origin.start_stamp, origin.end_stamp + 1)
    timed = window.after is not None or window.before is not None
    if timed and not any(
        stamp > 0
        and (window.after is None or stamp >= window.after)
        and (window.before is None or stamp <= window.before)
        for stamp in lived
    ):
        return False
    if window.near is None:
        return True
    if origin.pose is None or origin.pose["frame_id"] != "map":
        return False
    apart = [
        (there - here) ** 2
        for there, here in zip(origin.pose["position"], window.near.position, strict=True)
        if not math.isnan(here)
    ]
    return sum(apart) <= window.near.radius**2


@given(windows(), origins())
def test_a_memory_counts_when_its_span_overlaps_near_enough(
    window: Window, origin: Provenance
) -> None:
    assert window.holds(origin) == as_defined(window, origin)


@given(windows(), stamps, poses)
def test_an_event_counts_as_the_memory_of_it_would(
    window: Window, stamp: int, pose: Pose | None
) -> None:
    event = Event(stamp, "audio", Modality.AUDIO, (), "Anna is here.", pose=pose)
    memory = Provenance(start_stamp=stamp, end_stamp=stamp, pose=pose and vars(pose))
    assert window.holds_event(event) == window.holds(memory)


@pytest.mark.parametrize("cipher", [None, Cipher(bytes(32))], ids=["plain", "encrypted"])
def test_the_ledger_finds_what_the_window_holds(tmp_path: Path, cipher: Cipher | None) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", cipher=cipher)
    known: dict[str, Provenance] = {}

    @given(windows(), st.lists(origins(), max_size=4))
    def check(window: Window, more: list[Provenance]) -> None:
        for origin in more:
            memory_id = f"{len(known):064x}"
            known[memory_id] = origin
            ledger.insert(Record(memory_id, len(known), "test-space/1", "", origin))
        held = {name for name, origin in known.items() if window.holds(origin)}
        assert set(ledger.within(window)) == held

    check()
    assert len(known) > 20, "or nothing was compared"


def test_others_carry_no_time_and_no_place() -> None:
    imported = Provenance(compiled_stamp=5, imported=True)
    assert not Window(after=1).holds(imported)
    assert not Window(before=10).holds(imported)
    assert not Window(near=Place("map", (0.0, 0.0, math.nan), 100.0)).holds(imported)
    assert Window().holds(imported)


def test_a_ledger_made_before_windows_is_searched_too(tmp_path: Path) -> None:
    """An index over the stamps is made when it is opened, and is not needed to read."""
    path = tmp_path / "ledger.sqlite"
    with_index = Ledger(path)
    with_index.insert(Record("a" * 64, 1, "s", "", Provenance(start_stamp=5, end_stamp=9)))
    with_index._connection.execute("DROP INDEX memories_by_time")
    with_index.close()
    window = Window(after=9, before=20)
    old = Ledger(path, read_only=True)
    assert old.within(window) == ["a" * 64]
    old.close()
    again = Ledger(path)
    assert again.within(window) == ["a" * 64]
    plan = again._connection.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM memories WHERE end_stamp >= 9 AND start_stamp <= 20"
    ).fetchall()
    assert "memories_by_time" in str(plan)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda: Window(after=10, before=9), r"before \(9 ns\) is earlier than after \(10 ns\)"),
        (lambda: Window(after=0), "after is 0 ns"),
        (lambda: Window(before=-1), "before is -1 ns"),
        (lambda: Window(before=2**63), "below 2"),
        (lambda: Place("map", (0.0, 0.0, 0.0), -1.0), r"radius of the place is -1\.0"),
        (lambda: Place("map", (0.0, 0.0, 0.0), 0.0), "more than 0"),
        (lambda: Place("map", (0.0, 0.0, 0.0), math.nan), "radius of the place is nan"),
        (lambda: Place("map", (0.0, 0.0, 0.0), math.inf), "radius of the place is inf"),
        (lambda: Place("", (0.0, 0.0, 0.0), 1.0), "has no frame"),
        (lambda: Place("map", (math.nan, 0.0, 0.0), 1.0), "place is .nan, 0.0"),
        (lambda: Place("map", (0.0, 0.0, math.inf), 1.0), "numbers in metres"),
    ],
)
def test_what_nothing_could_be_in_is_refused_with_the_reason(bad, reason) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WindowError, match=reason):
        bad()
