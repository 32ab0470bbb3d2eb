"""An event that no sensor could have made is refused, with the value."""

from __future__ import annotations

import pytest

from universal_memory.experience.event import Event, Modality


@pytest.mark.parametrize(
    ("stamp", "stream", "modality", "message"),
    [
        (-1, "audio", Modality.AUDIO, "stamp -1"),
        (2**63, "audio", Modality.AUDIO, "outside"),
        (1, "", Modality.AUDIO, "stream is empty"),
        (1, "audio", "smell", "'smell' is not one of camera, audio, tool, text"),
    ],
)
def test_impossible_events_are_refused(stamp, stream, modality, message):
    with pytest.raises(ValueError, match=message):
        Event(stamp, stream, modality, (), "text")
