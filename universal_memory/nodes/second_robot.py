"""
A second robot: a memory server of its own, in another ROS domain, with another language model.

It has lived through nothing. What it answers comes from files of others, and it takes in only those
that a key it trusts has signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from universal_memory.memory.trust import TrustStore
from universal_memory.node_table import parameters_file
from universal_memory.nodes.client import QueryClient
from universal_memory.nodes.demonstration import READY_SECONDS, environment
from universal_memory.nodes.interview import interview
from universal_memory.nodes.supervisor import NodeProcess, Supervisor
from universal_memory.runtime.questionnaire import Question, Reply


@dataclass(frozen=True)
class SecondRobot:
    """The robot's store, language model, ROS domain, and what to do with what its node writes."""

    store: Path
    model: str
    domain_id: int
    write: Callable[[str, str], None]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The running memory server. Raises NotReady with its reason, a missing renderer too."""
        node = NodeProcess(
            "memory_server",
            lifecycle=True,
            parameter_files=(parameters_file(),),
            parameters={
                "store": str(self.store.resolve()),
                "model": self.model,
                "require_signature": True,
            },
        )
        with Supervisor([node], self._write, environment(self.domain_id)) as supervisor:
            supervisor.wait_ready(READY_SECONDS)
            yield

    def trust(self, public_key: Path) -> str:
        """Trust the owner of a key from now on; its id."""
        return TrustStore.of(self.store).add(public_key).key_id

    def offer(self, files: Iterable[bytes]) -> list[str]:
        """Hand memory files to the server; for each an empty text, or why it was refused."""
        with QueryClient(domain_id=self.domain_id) as client:
            return [client.import_memory(file).message for file in files]

    def ask(self, question: str) -> str:
        """The source of its answer to one question."""
        with QueryClient(domain_id=self.domain_id) as client:
            return str(client.ask(question).source)

    def interview(
        self, path: Path, questions: list[Question], advance: Callable[[float, float], None]
    ) -> list[tuple[Question, Reply]]:
        """Ask it the `questions` of `path`, from a process of its own. Raises InterviewError."""
        return interview(path, questions, environment(self.domain_id), advance)

    def _write(self, node: str, text: str) -> None:
        self.write(f"robot_b/{node}", text)
