"""
The base of the two lifecycle nodes: what they load on configure is let go on cleanup.

    configure   open the store, load models; a missing one is a FAILURE with the remedy in the log
                and in `/diagnostics`, and the node can be configured again once it is there
    activate    work
    deactivate  stop working, keep what is loaded
    cleanup     close everything

With `autostart` (default) the node configures and activates itself; launch files set it to false
and drive the transitions.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from universal_memory.nodes.diagnostics import Diagnostics
from universal_memory.nodes.health import Health
from universal_memory.nodes.parameters import Parameters, Row

AUTOSTART = Row(
    "autostart", True, "Configure and activate on start; false: a lifecycle manager does.",
    fixed=True,
)
STATUS_SECONDS = 1.0
# What a missing or unusable model, renderer, store or package raises in the core.
EXPECTED = (OSError, ValueError, RuntimeError, BufferError, ImportError, MemoryError)


def explained(error: Exception, logger: Any) -> str:
    """What to tell whoever asked. A bug, which must not end the node, leaves its traceback."""
    if isinstance(error, EXPECTED):
        return str(error)
    logger.error("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error}"


class ManagedNode(LifecycleNodeMixin, Node):
    """Subclasses give `configure`, `activate`, `deactivate`, `release`, `values`, `status`."""

    def __init__(self, name: str, rows: tuple[Row, ...], **options: Any) -> None:
        """Declare `rows` and `autostart`; `options` go to `rclpy.node.Node`."""
        Node.__init__(self, name, **options)
        # Reentrant, so that `get_state` answers while `configure` loads a model.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self.parameters = Parameters(self, (AUTOSTART, *rows))
        self.health = Health()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = Diagnostics(self, self.health, self._values)
        # Steady, not node, clock: a stopped /clock must not stop the status.
        self._status_timer = self.create_timer(
            STATUS_SECONDS, self.status, MutuallyExclusiveCallbackGroup(), self._steady
        )
        self._autostart_timer = None
        if self.parameters["autostart"]:
            self._autostart_timer = self.create_timer(
                0.0, self._autostart, MutuallyExclusiveCallbackGroup(), self._steady
            )

    def configure(self) -> None:
        """Load everything; raise with the remedy if something is missing."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Stop working; may be called when not active."""

    def release(self) -> None:
        """Close everything; may be called when only part of it was loaded."""

    def values(self) -> dict[str, object]:
        """Return the node's own values for `/diagnostics`."""
        return {}

    def status(self) -> None:
        """Publish `~/status`; called once a second in every state."""

    @property
    def state(self) -> str:
        """Label of the lifecycle state, for example "active"."""
        return str(self._state_machine.current_state[1])

    @property
    def active(self) -> bool:
        """Whether the node is to do its work now."""
        return self.state == "active"

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load, or fail with the reason."""
        return self._attempt(self.configure, self.close)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        return self._attempt(self.activate, self.deactivate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working."""
        self.deactivate()
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        return self.on_shutdown(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and close everything."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything; the node may be configured again."""
        return self.on_shutdown(state)

    def close(self) -> None:
        """Stop and close everything, in any state."""
        self.deactivate()
        self.release()

    def _attempt(
        self, work: Callable[[], None], undo: Callable[[], None]
    ) -> TransitionCallbackReturn:
        try:
            work()
        except Exception as error:  # rclpy would go on without a word about it
            reason = f"cannot {work.__name__}: {explained(error, self.get_logger())}"
            self.health.fail("lifecycle", reason)
            self.get_logger().error(reason)
            undo()
            return TransitionCallbackReturn.FAILURE
        self.health.mend("lifecycle")
        return TransitionCallbackReturn.SUCCESS

    def _autostart(self) -> None:
        if self._autostart_timer is not None:
            self._autostart_timer.cancel()
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _values(self) -> dict[str, object]:
        return {"state": self.state, **self.values()}
