"""What is recalled of half a stretch: how it is made up, chosen, asked and counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from stand_ins import Knowing, mark

from universal_memory import cli
from universal_memory.benchmarks import recall
from universal_memory.benchmarks import surprise as bench
from universal_memory.benchmarks.surprise import area, surprise
from universal_memory.benchmarks.surprise_stream import (
    CHANGED,
    ECHO,
    IMPORTANT,
    NEWS,
    TRIVIAL,
    UNASKED,
    Stretch,
    stretch,
)
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answer import BASE, COMPILED, Hit, Prepared
from universal_memory.runtime.prediction import Prediction

SPLIT, SEED = "new_combinations", 3


@pytest.mark.parametrize("kind", ["routine", TRIVIAL])
@pytest.mark.parametrize("run", [1, 4])
def test_half_of_a_stretch_matters_and_only_news_are_asked_for(kind: str, run: int) -> None:
    made = stretch(10, SPLIT, SEED, kind, run)
    assert made == stretch(10, SPLIT, SEED, kind, run)
    assert len({moment.text for moment in made.moments}) == len(made.moments) == 24
    counts = Counter(moment.kind for moment in made.moments)
    assert (counts[NEWS], counts[CHANGED]) == (10, 2)
    assert all((moment.fact is not None) == (moment.kind == NEWS) for moment in made.moments)
    assert counts[UNASKED] == (12 if kind == TRIVIAL else 0)
    assert not set(made.known) & {moment.text for moment in made.moments}
    first = [moment.kind in IMPORTANT for moment in made.moments[: 2 * run]]
    assert first == [True] * run + [False] * run


def test_an_echo_says_again_what_was_news_before() -> None:
    made = stretch(10, SPLIT, SEED)
    news: list[tuple[str, ...]] = []
    echoes = 0
    for moment in made.moments:
        if moment.fact is not None:
            news.append(moment.fact.subject)
        if moment.kind == ECHO:
            echoes += 1
            assert any(all(part in moment.text for part in subject) for subject in news)
    assert echoes == 2
    stamps = [episode.start for episode in made.episodes(SEED)]
    assert stamps == sorted(set(stamps))


def test_unknown_streams_are_refused() -> None:
    with pytest.raises(ValueError, match="use routine or trivial"):
        stretch(5, SPLIT, SEED, "noise")


def test_area_is_the_share_of_pairs_in_order() -> None:
    assert area([3.0, 2.0], [1.0, 2.0]) == pytest.approx(3.5 / 4)
    assert area([1.0], [2.0]) == 0.0


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, answerer: Any, knowing: Knowing) -> Stretch:
    """An answerer that knows what is on, and a predictor that knows which moments matter."""
    made = stretch(10, SPLIT, SEED)
    by_question = {
        moment.fact.questions[0].text: moment for moment in made.moments if moment.fact is not None
    }
    ids = {}

    def filed(_: object, texts: Sequence[str]) -> dict[str, recall.Filed]:
        found = recall.filed(answerer, texts)
        ids.update({text: file.id for text, file in found.items()})
        return found

    def prepare(question: str, among: Sequence[str]) -> Prepared:
        prompt = answerer.language_model.prompt_ids(question)
        own = ids[by_question[question].text]
        if own not in among:
            return Prepared(prompt, None, BASE)
        manner = answerer.renderer.manner()
        usv = recall.torch.from_numpy(answerer.store.get(own).usv.copy())
        adapter = fuse([manner, answerer.renderer.render(usv)])
        return Prepared(prompt, adapter, COMPILED, (Hit(own, 1.0, 1.0, 0),))

    def decode(_: object, prepared: Sequence[Prepared], max_tokens: int) -> list[str]:
        asked = [(knowing.asked[one.prompt[0]], one.adapter) for one in prepared]
        return [
            by_question[question].fact.questions[0].answers[0]  # type: ignore[union-attr]
            if adapter is not None
            and mark(by_question[question].text) in set(adapter.keys[0, :, 0].tolist())
            else "no idea"
            for question, adapter in asked
        ]

    important = {moment.text for moment in made.moments if moment.kind in IMPORTANT}

    class Knows:
        def __init__(self, _: object) -> None:
            self.known = 0

        def begin(self, among: Sequence[str]) -> None:
            self.known = len(among)

        def predict(self, text: str) -> Prediction:
            assert self.known == len(made.known)
            one = np.ones(1, np.float32)
            return Prediction(one, one * 0.5, -9.0 if text in important else 9.0)

        def expect(self, text: str) -> None:
            pass

    answerer.prepare = prepare
    monkeypatch.setattr(bench, "filed", filed)
    monkeypatch.setattr(bench, "Predictor", Knows)
    monkeypatch.setattr(recall, "decode", decode)
    return made


def test_surprise_keeps_what_matters_and_chance_loses_half(
    stand_in: Stretch, answerer: Any
) -> None:
    told: list[tuple[str, int, int]] = []
    figures = surprise(
        answerer, 10, SPLIT, SEED, momentum=0.0, chances=3, batch=4,
        advance=lambda *what: told.append(what),
    )  # fmt: skip
    rows = {row["remembered"]: row for row in figures["rows"]}
    assert rows["everything"]["exact_match"] == rows["surprise"]["exact_match"] == 1.0
    assert (rows["everything"]["files"], rows["surprise"]["files"]) == (24, 12)
    assert rows["nothing"]["exact_match"] == rows["everything, files swapped"]["exact_match"] == 0
    chance = rows["by chance"]
    assert chance["least"] <= chance["exact_match"] <= chance["most"] < 1.0
    newest = {moment.text for moment in stand_in.moments[12:]}
    news = [moment.text for moment in stand_in.moments if moment.kind == NEWS]
    assert rows["the newest"]["exact_match"] == sum(text in newest for text in news) / 10
    kept = {row["remembered"]: row for row in figures["kept"]}
    assert kept["surprise"][NEWS] == kept["surprise"][CHANGED] == 1.0
    assert kept["surprise"][ECHO] == 0.0
    assert figures["telling"][0] == {"candidate": "surprise", NEWS: 1.0, CHANGED: 1.0}
    assert figures["telling"][2][NEWS] == 0.5
    assert all(done <= total for _, done, total in told)


def test_the_same_files_on_are_asked_once(
    stand_in: Stretch, answerer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ask = recall.ask

    def counted(model: Any, cases: Sequence[recall.Case], most: int) -> list[recall.Outcome]:
        asked.append(len(cases))
        return ask(model, cases, most)

    monkeypatch.setattr(bench, "ask", counted)
    surprise(answerer, 10, SPLIT, SEED, chances=3, batch=4)
    # With the own file on, with none, and with another question's.
    assert sum(asked) == 30 and max(asked) <= 4


def test_the_command_prints_tables_and_writes_all(
    stand_in: Stretch,
    answerer: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def fresh(model: str) -> Iterator[SimpleNamespace]:
        yield answerer

    monkeypatch.setattr(recall, "fresh_answerer", fresh)
    path = tmp_path / "surprise.json"
    arguments = ["--news", 10, "--seed", SEED, "--chances", 2, "--json", path]
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "surprise", *map(str, arguments)])
    assert not stopped.value.code
    shown = capsys.readouterr().out
    assert "least / most" in shown and "area under ROC" in shown and "by chance" in shown
    written = json.loads(path.read_text())
    assert {"model", "split", "seed", "stream", "budget", "momentum", "rows", "kept"} < set(written)
