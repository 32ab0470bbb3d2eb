"""
The demonstration, stage by stage: start the nodes, replay a bag, compile, ask, start again, ask.

All nodes are processes of their own on real DDS, the questions come from yet another one, and what
they share is a store on disk and the topics. The second time nothing is replayed: the files are
all that is left of the day.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from universal_memory.node_table import REPLAY_PARAMETERS_FILE, parameters_file
from universal_memory.nodes.backlog import Backlog
from universal_memory.nodes.client import QueryClient
from universal_memory.nodes.interview import InterviewError, interview
from universal_memory.nodes.player import Player
from universal_memory.nodes.supervisor import NodeProcess, Supervisor, from_table
from universal_memory.runtime.questionnaire import Question, Reply
from universal_memory.runtime.recording import Recording, RecordingError

# Which input of the nodes a recorded type belongs to; the first topic of a type is taken.
COMPRESSED = "sensor_msgs/msg/CompressedImage"
INPUTS = {
    "sensor_msgs/msg/Image": "image",
    COMPRESSED: "image",
    "geometry_msgs/msg/PoseStamped": "pose",
    "universal_memory_msgs/msg/AudioChunk": "audio",
    "universal_memory_msgs/msg/ToolCall": "tool_calls",
}
READY_SECONDS = 240.0  # the first start converts the language model
DRAIN_SECONDS = 300.0
COMPILE_SECONDS = 300.0


@dataclass(frozen=True)
class Settings:
    """What to replay, ask and use. `domain_id` keeps the demonstration apart from other robots."""

    bag: Path
    questions: Path
    store: Path
    log: Path
    rate: float
    model: str
    domain_id: int


@dataclass(frozen=True)
class Remembered:
    """What became of the day: events by node, dropped inputs by node, files, worst lateness [s]."""

    events: Mapping[str, int]
    dropped: Mapping[str, int]
    files: int
    lateness: float

    def __str__(self) -> str:
        """In a sentence."""
        events = ", ".join(
            f"{name.removesuffix('_ingest')} {count}" for name, count in self.events.items()
        )
        return (
            f"{sum(self.events.values())} events ({events}) became {self.files} memory files; "
            f"worst lateness of the replay {self.lateness * 1000:.0f} ms."
        )


class Demonstration:
    """Runs the stages; `tell` gets what happens now, `advance` how much of how much."""

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[str], None],
        advance: Callable[[float, float], None],
    ) -> None:
        self.settings = settings
        self._tell = tell
        self._advance = advance
        settings.log.parent.mkdir(parents=True, exist_ok=True)
        self._file = settings.log.open("w", encoding="utf-8")
        os.environ |= environment(settings.domain_id)

    def close(self) -> None:
        """Close the log."""
        self._file.close()

    def log(self, node: str, text: str) -> None:
        """Keep a line that a node wrote."""
        if not self._file.closed:
            self._file.write(f"{node}: {text}\n")
            self._file.flush()

    @contextmanager
    def nodes(self, replayed: bool, model: str = "") -> Iterator[None]:
        """
        The running nodes; `replayed`: listening to the bag's topics, on the bag's time.

        `model` is the language model if it is another than the settings'.
        """
        self._tell("Starting five nodes ...")
        processes = self._processes(replayed, model or self.settings.model)
        with Supervisor(processes, self.log) as supervisor:
            supervisor.wait_ready(READY_SECONDS)
            yield
            self._tell("Stopping the nodes ...")

    def live_through(self) -> Remembered:
        """Replay the bag into the running nodes and compile what they experienced."""
        settings = self.settings
        with Recording(settings.bag) as recording, Backlog() as backlog:
            with Player(recording, settings.rate) as player:
                self._tell("Waiting for the nodes to listen ...")
                needed = listened(recording)
                needed.pop("pose", None)  # optional
                player.wait_for(needed.values())
                self._tell(f"Replaying {recording.name} at {settings.rate:g}x ...")
                lateness = player.play(lambda at: self._advance(at, recording.seconds))
                self._tell("Waiting until everything is heard and read ...")
                backlog.drain(DRAIN_SECONDS)
                self._tell("Compiling ...")
                with QueryClient() as client:
                    compiled = client.compile_now(flush=True, timeout=COMPILE_SECONDS)
            if not compiled.success:
                raise InterviewError(f"the compiler refused: {compiled.message}")
            return Remembered(
                backlog.counts("events"),
                backlog.counts("dropped"),
                sum(1 for _ in settings.store.rglob("*.ump")),
                lateness,
            )

    def interview(self, questions: list[Question]) -> list[tuple[Question, Reply]]:
        """Ask every question from a process of its own. Raises InterviewError."""
        self._tell(f"Asking {len(questions)} questions ...")
        return interview(self.settings.questions, questions, {}, self._advance)

    def _processes(self, replayed: bool, model: str) -> list[NodeProcess]:
        settings = self.settings
        store = str(settings.store.resolve())
        remaps: dict[str, str] = {}
        parameters: dict[str, dict[str, object]] = {
            "memory_compiler": {"store": store},
            "memory_server": {"store": store, "model": model},
        }
        if replayed:
            with Recording(settings.bag) as recording:
                remaps, camera = wiring(recording)
                for node in ("camera_ingest", "audio_ingest", "tool_ingest"):
                    parameters[node] = {"source": recording.name}
            parameters["camera_ingest"] |= camera
        if (file := settings.bag / "markers.yaml").is_file():
            names = yaml.safe_load(file.read_text(encoding="utf-8"))
            markers = [f"{number}={name}" for number, name in names.items()]
            parameters.setdefault("camera_ingest", {})["markers"] = markers
        return from_table(
            [parameters_file(REPLAY_PARAMETERS_FILE)],
            parameters,
            remaps,
            use_sim_time=replayed,
        )


def listened(recording: Recording) -> dict[str, str]:
    """Input of the nodes → recorded topic. Raises RecordingError if the bag has none of them."""
    found: dict[str, str] = {}
    for topic in recording.topics.values():
        if (name := INPUTS.get(topic.kind)) is not None:
            found.setdefault(name, topic.name)
    if not found:
        kinds = ", ".join(sorted({topic.kind for topic in recording.topics.values()}))
        raise RecordingError(
            f"the bag {recording.name} holds nothing to remember: it has {kinds}, and one of "
            f"{', '.join(INPUTS)} is needed"
        )
    return found


def wiring(recording: Recording) -> tuple[dict[str, str], dict[str, object]]:
    """Remaps of the nodes' inputs to the recorded topics, and what the camera node must know.

    As with image_transport, compressed images of camera `image` come on `image/compressed`.
    """
    remaps = listened(recording)
    if (image := remaps.get("image")) is None:
        return remaps, {}
    if recording.topics[image].kind != COMPRESSED:
        return remaps, {"image_transport": "raw"}
    if not image.endswith("/compressed"):
        raise RecordingError(
            f"compressed images are recorded on {image}: rename the topic to end in /compressed"
        )
    remaps["image"] = image.removesuffix("/compressed")
    return remaps, {"image_transport": "compressed"}


def environment(domain_id: int) -> dict[str, str]:
    """Variables that keep a demonstration on this machine and in a domain of its own."""
    return {
        "ROS_DOMAIN_ID": str(domain_id),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTDDS_DEFAULT_PROFILES_FILE": str(parameters_file("fastdds_localhost.xml")),
    }
