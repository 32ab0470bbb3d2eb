"""Evaluation: scores, decoding of a batch with a memory each, and the controls beside a recall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import listening, random_adapter

from universal_memory.runtime.answer import BASE, COMPILED, Prepared
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.runtime.questionnaire import contains
from universal_memory.training.corpora.evaluation import write_evaluation
from universal_memory.training.evaluation.dataset import DatasetError, load_dataset
from universal_memory.training.evaluation.decoding import decode, joined
from universal_memory.training.evaluation.run import ALL_MODES, evaluate
from universal_memory.training.evaluation.scores import score, summary


@pytest.mark.parametrize(
    ("answer", "exact", "f1", "contained"),
    [
        ("The blue bowl.", True, 1.0, True),
        ("it is in the blue bowl", False, 4 / 7, True),
        ("bowl", False, 2 / 3, False),
        ("a drawer", False, 0.0, False),
        ("", False, 0.0, False),
    ],
)
def test_scores_after_squad_normalisation(
    answer: str, exact: bool, f1: float, contained: bool
) -> None:
    found = score(answer, ["blue bowl", "bowl blue dish"], 7, {})
    assert (found.exact, found.contained) == (exact, contained)
    assert found.f1 == pytest.approx(f1)


def test_summary_is_means_and_percentiles() -> None:
    rows = [score(one, ["weak"], 10, {"route": time}) for one, time in (("weak", 1.0), ("no", 3.0))]
    row = summary(rows)
    assert (row["questions"], row["exact_match"], row["prompt_tokens"]) == (2.0, 0.5, 10.0)
    assert row["route_ms_p50"] == 2.0
    assert row["load_ms_p95"] == 0.0


def test_a_batch_is_its_questions_one_by_one(language_model: LanguageModel) -> None:
    architecture = language_model.architecture
    prompts = [language_model.prompt_ids(text) for text in ("Where?", "Who is it?", "When then?")]
    adapters = [listening(architecture, seed=1), None, random_adapter(architecture, seed=2)]
    prepared = [
        Prepared(prompt, adapter, COMPILED if adapter else BASE)
        for prompt, adapter in zip(prompts, adapters, strict=True)
    ]
    together = decode(language_model, prepared, max_tokens=6)
    assert together == [decode(language_model, [one], max_tokens=6)[0] for one in prepared]
    without = [Prepared(one.prompt, None, BASE) for one in prepared]
    plain = decode(language_model, without, max_tokens=6)
    assert plain[1] == together[1]
    assert plain[0] != together[0]


def test_nothing_joined_is_nothing() -> None:
    assert joined([None, None]) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1"),
        ('{"experience": []}', "line 1"),
        ('{"experience": [{"t": 0, "stream": "a", "text": " "}], "questions": []}', "line 1"),
        ("", "asks nothing"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DatasetError, match=message):
        load_dataset(path)


def test_who_asks_is_read_and_bound(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    asked = {"q": "Where are my keys?", "answers": ["hall"], "speaker": "Anna", "family": "keys"}
    row = {"experience": [{"t": 0, "stream": "audio", "text": "x"}], "questions": [asked]}
    path.write_text(json.dumps(row) + "\n")
    (question,) = load_dataset(path).questions
    assert (question.text, question.bound) == ("Where are my keys?", "Where are Anna's keys?")
    assert question.labels == {"family": "keys"}


@pytest.mark.slow
def test_questions_written_by_hand_do_not_hold_their_answers() -> None:
    dataset = load_dataset(Path(__file__).parents[2] / "docs" / "by_hand.jsonl")
    assert len(dataset.questions) >= 37
    for question in dataset.questions:
        assert not contains(question.text, question.answers), question


def test_recall_stands_beside_its_controls(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    write_evaluation(path, seed=3, episodes=16, facts_per_episode=1, split="new_combinations")
    result = evaluate(path, "smollm2-135m", batch=16, max_tokens=12, by="family")
    modes = result["modes"]
    families = result["by"].values()
    assert sum(row["oracle"]["questions"] for row in families) == 16
    assert sum(
        row["oracle"]["exact_match"] * row["oracle"]["questions"] for row in families
    ) == pytest.approx(16 * modes["oracle"]["exact_match"])
    assert tuple(modes) == ALL_MODES
    assert result["memory_files"] == result["episodes"] == 16
    assert len(result["answers"]) == modes["memory"]["questions"] == 16
    # On the compiled path the model gets the question and nothing else, as with no memory at all.
    question_only = modes["none"]["prompt_tokens"]
    assert {modes[name]["prompt_tokens"] for name in ("memory", "oracle", "shuffled")} == {
        question_only
    }
    assert min(modes[name]["prompt_tokens"] for name in ("context", "manner")) > question_only + 4
    assert modes["oracle"]["exact_match"] > 0.25
    assert modes["shuffled"]["exact_match"] <= 0.125
    assert modes["none"]["exact_match"] <= 0.125


def test_an_unknown_mode_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'?telepathy.*memory, oracle"):
        evaluate(tmp_path / "none.jsonl", "smollm2-135m", modes=("telepathy",))
