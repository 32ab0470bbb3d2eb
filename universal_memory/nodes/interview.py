"""
Asks a running robot every question of a file, from a process of its own.

    python -m universal_memory.nodes.interview QUESTIONS.yaml

That process knows nothing but the questions: what it prints, one JSON line a reply, came over the
`query` service. `interview` starts it and reads the lines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from universal_memory_msgs.srv import QueryMemory

from universal_memory.nodes.client import NoAnswer, QueryClient
from universal_memory.runtime.questionnaire import (
    Question,
    QuestionnaireError,
    Reply,
    load_questions,
)

TIMEOUT_SECONDS = 300.0  # the first question may meet a model that still warms up


class InterviewError(RuntimeError):
    """The questions could not be asked; the message is the robot's or the client's."""


def interview(
    path: Path,
    questions: Sequence[Question],
    environment: Mapping[str, str],
    advance: Callable[[float, float], None],
) -> list[tuple[Question, Reply]]:
    """
    Ask the `questions` of `path` in another process, with `environment` beside this one's.

    `advance` gets how many of how many are answered. Raises InterviewError.
    """
    command = [sys.executable, "-m", "universal_memory.nodes.interview", str(path)]
    here = str(Path(__file__).resolve().parents[2])
    python_path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
    replies: list[tuple[Question, Reply]] = []
    # A session of its own: Ctrl-C reaches us, and we end it.
    client = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": python_path},
        start_new_session=True,
    )
    try:
        for question, line in zip(questions, reply_lines(client.stdout), strict=False):
            replies.append((question, read_reply(line)))
            advance(len(replies), len(questions))
        _, complaint = client.communicate()
    finally:
        client.kill()
        client.wait()
    if len(replies) < len(questions):
        reason = complaint.strip().splitlines()
        raise InterviewError(
            f"only {len(replies)} of {len(questions)} questions were answered: "
            f"{reason[-1] if reason else 'the client ended'}; see the log of the nodes"
        )
    return replies


def reply_lines(stream: IO[str] | None) -> Iterator[str]:
    """Lines that are a reply; anything a library prints in between is passed over."""
    for line in stream or ():
        try:
            is_reply = "answer" in json.loads(line)
        except (ValueError, TypeError):
            continue
        if is_reply:
            yield line


def ask_all(path: Path) -> int:
    """Ask all questions of `path` here; return the exit code."""
    try:
        questions = load_questions(path)
        with QueryClient() as client:
            for question in questions:
                response = client.ask(question.text, timeout=TIMEOUT_SECONDS)
                if not response.success:
                    return _refuse(f"the robot refused {question.text!r}: {response.message}")
                sys.stdout.write(json.dumps(reply_row(response)) + "\n")
                sys.stdout.flush()
    except (QuestionnaireError, NoAnswer) as error:
        return _refuse(str(error))
    return 0


def reply_row(response: QueryMemory.Response) -> dict[str, object]:
    """What the service returned, as JSON."""
    return {
        "answer": response.answer,
        "source": response.source,
        "memories": [[hit.id, hit.relevance, hit.gate] for hit in response.memories],
        "milliseconds": {
            "route": response.route_ms,
            "load": response.load_ms,
            "render": response.render_ms,
            "generate": response.generate_ms,
        },
        "prompt_tokens": response.prompt_tokens,
    }


def read_reply(line: str) -> Reply:
    """The reply of one line. Raises ValueError if it is none."""
    row = json.loads(line)
    memories = row["memories"]
    return Reply(
        row["answer"],
        row["source"],
        tuple((str(name), float(relevance), float(gate)) for name, relevance, gate in memories),
        {stage: float(value) for stage, value in row["milliseconds"].items()},
        int(row["prompt_tokens"]),
    )


def _refuse(reason: str) -> int:
    sys.stderr.write(f"{reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(ask_all(Path(sys.argv[1])))
