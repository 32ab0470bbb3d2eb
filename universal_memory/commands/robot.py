"""The running robot, as the commands reach it: over its ROS services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from universal_memory.nodes.client import QueryClient


class NoRobot(RuntimeError):
    """No robot can be reached; the message has the remedies."""


@contextmanager
def connect(namespace: str, otherwise: str) -> Iterator[QueryClient]:
    """A client of the nodes in `namespace`. Raises NoRobot: `otherwise` is what to do without."""
    with ros_at_hand(otherwise):
        from universal_memory.nodes.client import NoAnswer, QueryClient
    with QueryClient(namespace) as client:
        try:
            yield client
        except NoAnswer as error:
            raise NoRobot(f"{error}; or {otherwise}") from error


@contextmanager
def ros_at_hand(otherwise: str) -> Iterator[None]:
    """Around the imports that need ROS 2. Raises NoRobot where it is missing."""
    try:
        yield
    except ImportError as error:
        raise NoRobot(
            f"ROS 2 is not in this environment ({error}); remedy: use `./ump` or source the "
            f"workspace's setup.bash, or {otherwise}"
        ) from error
