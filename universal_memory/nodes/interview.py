"""
Asks a running robot every question of a file, from a process of its own.

    python -m universal_memory.nodes.interview QUESTIONS.yaml

Knows nothing but the questions: what it prints, one JSON line a reply, came over the `query`
service. Used by `ump demo`, which reads the lines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from universal_memory_msgs.srv import QueryMemory

from universal_memory.nodes.client import NoAnswer, QueryClient
from universal_memory.runtime.questionnaire import QuestionnaireError, Reply, load_questions

TIMEOUT_SECONDS = 300.0  # the first question may meet a model that still warms up


def interview(path: Path) -> int:
    """Ask all questions of `path`; return the exit code."""
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
    sys.exit(interview(Path(sys.argv[1])))
