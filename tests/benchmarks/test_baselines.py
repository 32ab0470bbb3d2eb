"""Rivals: each through the same matrix on a tiny random model, and what is particular to some."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import runner
from tiny_models import assert_untouched, parameters_of
from torch import Tensor

from universal_memory.benchmarks import baselines as bench
from universal_memory.benchmarks.baselines import baselines
from universal_memory.benchmarks.chart import COLOURS, Panel, draw
from universal_memory.benchmarks.rivals import RIVALS, NotRunError, Parts, Settings
from universal_memory.benchmarks.rivals.decoding import say
from universal_memory.benchmarks.rivals.text_vectors import TextVectors, nearest
from universal_memory.benchmarks.rivals.world import Episodes, World
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import attach
from universal_memory.rendering.piece_tokens import spoken
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.routing.calibration import Calibration
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.routing.router import Router
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import SLOTS, UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.training.retrieval import start
from universal_memory.training.retrieval_corpus import RetrievalCorpus
from universal_memory.training.soft_tokens import (
    SoftTokens,
    load_soft_tokens,
    train_soft_tokens,
)

SPLIT, SEED = "held_out", 3
WITHOUT_EMEM = [name for name in RIVALS if name != "emem"]


@pytest.fixture(scope="module")
def answerer(
    tower: TextTower, tiny_folder: Path, tokens: Tensor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Answerer]:
    """An answerer of untrained parts over an empty store; its router knows what a word is."""
    torch.manual_seed(0)
    language_model = LanguageModel(str(tiny_folder))
    space = SemanticSpace(tower, UniversalEncoder(blocks=1), "untrained/1")
    questions = QuestionEncoder()
    passports = PassportEncoder(space.reader, questions.pieces)
    start(
        passports,
        questions,
        RetrievalCorpus(tower.token_ids, len(questions.pieces.table), 0, "train", 60),
    )
    router = Router(tower.token_ids, questions, Reranker(questions.pieces), Calibration())
    renderer = Renderer(
        RendererConfig.for_architecture(language_model.architecture, space.space_id),
        space.reader,
        TokenEmbeddings(language_model.model),
        tokens,
    )
    with MemoryStore(tmp_path_factory.mktemp("store")) as store:
        yield Answerer(
            language_model,
            renderer.requires_grad_(False),
            space,
            passports.requires_grad_(False),
            router,
            store,
            PassportIndex(),
        )


@pytest.fixture
def measured(answerer: Answerer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`baselines` with the tiny answerer."""

    @contextmanager
    def fresh(_model: str) -> Iterator[Answerer]:
        yield answerer

    monkeypatch.setattr(bench, "fresh_answerer", fresh)
    settings = Settings(
        max_tokens=3, tune_steps=2, soft_minutes=1e-4, soft_run=tmp_path / "soft tokens"
    )

    def measure(sizes: list[int], questions: int, **given: Any) -> dict[str, Any]:
        given = {"settings": settings, "vectors": tmp_path / "vectors", "seed": SEED} | given
        return baselines("tiny", sizes, questions, **given)

    return measure


def parts(answerer: Answerer, tmp_path: Path, most: int = 99) -> Parts:
    vectors = TextVectors(answerer.space.tower, most, folder=tmp_path / "vectors")
    return Parts(answerer, Settings(max_tokens=3), vectors, tmp_path)


def world(answerer: Answerer, tmp_path: Path, size: int = 6, questions: int = 2) -> World:
    [one] = Episodes(questions, 1, size, SPLIT, SEED).worlds(size, parts(answerer, tmp_path))
    return one


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_answers_and_tells_its_costs(
    name: str, measured: Any, answerer: Answerer
) -> None:
    if name == "emem":
        pytest.importorskip("emem")
    before = parameters_of(answerer.language_model.model)
    found = measured([2, 5], 3, rivals=[name])
    small, large = found["rows"]
    assert (small["memories"], large["memories"], small["rival"]) == (2, 5, name)
    assert small["questions"] == 3
    assert small["prompt_tokens"] > 0 and small["first_token_ms_p95"] > 0
    assert (small["bytes_per_memory"] == 0) == (name == "none")
    assert 0 <= small["exact_match"] <= small["containment"] <= 1
    if RIVALS[name].given:
        assert "the right memory is given, as with 2" in large["not_run"]
    else:
        assert large["questions"] == 3
    asked = [[a["q"] for a in found["answers"] if a["memories"] == size] for size in (2, 5)]
    assert len(set(asked[0])) == 3 and asked[1] in (asked[0], [])
    assert_untouched(answerer.language_model.model, before)


def test_rivals_are_asked_the_same_in_turn(measured: Any) -> None:
    found = measured([4], 2, rivals=["none", "retrieval"])
    by_rival = [
        [a["q"] for a in found["answers"] if a["rival"] == one] for one in ("none", "retrieval")
    ]
    assert by_rival[0] == by_rival[1] and len(by_rival[0]) == 2


def test_what_takes_too_long_is_asked_no_more(measured: Any) -> None:
    [row] = measured([2], 3, rivals=["none"], seconds=1e-9)["rows"]
    assert row["questions"] == 1
    [row] = measured([2], 3, rivals=["none"], seconds=0.0)["rows"]
    assert "--seconds" in row["not_run"]


def test_what_does_not_run_says_why(measured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Settings(max_tokens=3, embed_most=4)
    rows = measured([2, 5], 2, rivals=["retrieval", "none"], settings=few)["rows"]
    assert [row.get("questions") for row in rows] == [2, 2, None, 2]
    assert "more than 4 texts" in rows[2]["not_run"]
    monkeypatch.setitem(sys.modules, "emem", None)
    [row] = measured([2], 2, rivals=["emem"])["rows"]
    assert "pip install" in row["not_run"]


def test_an_unknown_rival_is_named() -> None:
    with pytest.raises(ValueError, match="unknown rival telepathy; there are: none, full-text"):
        baselines("tiny", [2], 2, ["telepathy"])


@pytest.mark.parametrize("size", [2, 3, 12])
def test_worlds_hold_what_is_asked(size: int, answerer: Answerer, tmp_path: Path) -> None:
    episodes = Episodes(5, 1, 12, SPLIT, SEED)
    worlds = episodes.worlds(size, parts(answerer, tmp_path))
    assert [len(one.texts) for one in worlds] == [size] * len(worlds)
    asked = [asked for one in worlds for asked in one.asked]
    assert [one.text for one in asked] == [
        episode.facts[0].questions[0].text for episode in episodes.asked
    ]
    for one in worlds:
        for question in one.asked:
            assert question.answers[0] in one.texts[question.memory]
    assert worlds[0].texts == episodes.worlds(size, parts(answerer, tmp_path))[0].texts


def test_only_what_may_be_chosen_is_filed(answerer: Answerer, tmp_path: Path) -> None:
    filing = world(answerer, tmp_path, 40).filing
    question = "Where is the blue umbrella?"
    while numbers := filing.wanted(question):
        for number in numbers:
            filing.file(number)
    assert 16 <= len(filing.ids) < 40 and len(filing.index) == 40
    assert set(filing.ids.values()) == set(filing.store.ids())
    found = filing.finder().find(answerer.router.ask(question), top_k=3, min_relevance=0.0)
    assert {memory_id for memory_id, _ in found} <= set(filing.ids.values())
    first = min(filing.ids)
    file = filing.store.get(filing.ids[first])
    assert file.usv.tolist() == answerer.space.encode([filing.texts[first]])[0].tolist()


def test_the_control_has_another_memory_on(answerer: Answerer, tmp_path: Path) -> None:
    given = world(answerer, tmp_path)
    shuffled = RIVALS["ours shuffled"](given.parts)
    shuffled.remember(given)
    shuffled.ready(given.asked[0])
    assert len(given.filing.ids) == 1 and given.asked[0].memory not in given.filing.ids
    shuffled.answer(given.asked[0])


def test_full_text_keeps_the_newest(answerer: Answerer, tmp_path: Path) -> None:
    given = world(answerer, tmp_path, 30)
    full = RIVALS["full-text"](given.parts)
    full.remember(given)
    said = full.answer(given.asked[0])
    room = answerer.language_model.context - given.parts.settings.max_tokens
    assert 0.5 * room < said.prompt_tokens <= room
    kept = int(full.note.split()[2])
    assert 0 < kept < 30 and f"{30 - kept} were cut" in full.note
    newest = " ".join(given.texts[-kept:])
    whole = answerer.language_model.prompt_ids(given.asked[0].text, newest)
    assert len(whole) == said.prompt_tokens


def test_a_saved_cache_is_the_text_read(answerer: Answerer, tmp_path: Path) -> None:
    given = world(answerer, tmp_path, 2)
    saved = RIVALS["kv-cache"](given.parts)
    saved.remember(given)
    asked = given.asked[0]
    saved.ready(asked)
    said = saved.answer(asked)
    found = nearest(given.vectors, given.parts.vectors.one(asked.text), 1)[0]
    model = answerer.language_model
    assert said.text == model.generate([model.prompt_ids(asked.text, given.texts[found])], 3)[0]
    assert said.prompt_tokens < len(model.prompt_ids(asked.text))


def test_a_tuned_lora_makes_its_text_likelier(answerer: Answerer, tmp_path: Path) -> None:
    given = world(answerer, tmp_path, 2)
    tuned: Any = RIVALS["lora"](given.parts)
    tuned.remember(given)
    tuned.ready(given.asked[0])
    [(text, adapter)] = tuned._adapters.items()
    assert text == given.texts[given.asked[0].memory] and adapter.rank == 8
    ids, learned = tuned._lesson(text)
    assert learned[0].sum() + 1 == learned[1].sum()

    def loss(on: Any) -> float:
        model = answerer.language_model
        with attach(model.model, model.architecture, on), torch.no_grad():
            logits = model.model(input_ids=ids).logits[:, :-1][learned]
        return float(torch.nn.functional.cross_entropy(logits, ids[:, 1:][learned]))

    assert loss(adapter) < loss(replace(adapter, values=0 * adapter.values))


def test_decoding_is_the_models_own(answerer: Answerer) -> None:
    model = answerer.language_model
    ids = model.prompt_ids("Where is the umbrella?")
    wanted = model.generate([ids], 6)[0]
    assert say(model, 0.0, 6, ids=ids).text == wanted
    embedded = model.model.get_input_embeddings()(torch.tensor([ids]))
    spoken = say(model, 0.0, 6, embedded=embedded)
    assert spoken.text == wanted and spoken.first_token_ms > 0


def test_vectors_are_kept(
    tower: TextTower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["The keys are in the attic.", "Mira likes tea.", "The keys are in the attic."]
    first = TextVectors(tower, 3, folder=tmp_path).of(texts)
    assert (first[0] == first[2]).all() and nearest(first, first[1], 1) == [1]
    kept = TextVectors(tower, 3, folder=tmp_path)
    monkeypatch.setattr(kept, "_embedded", lambda _: pytest.fail("embedded again"))
    assert (kept.of(texts[::-1]) == first[::-1]).all()
    with pytest.raises(NotRunError, match="--embed-most"):
        kept.of([*texts, "one more"])


def test_soft_tokens_start_as_the_words_of_the_memory(answerer: Answerer) -> None:
    soft = SoftTokens(answerer.renderer, answerer.language_model)
    text = "mira keeps tea"
    usv = torch.from_numpy(answerer.space.encode([text]))
    reading = answerer.space.reader(usv)
    tokens = spoken(answerer.renderer.tokens, reading.pieces, reading.flags)[0]
    embed = answerer.language_model.model.get_input_embeddings()
    wanted = torch.zeros(SLOTS, answerer.language_model.model.config.hidden_size)
    for seat in reading.taken[0].nonzero().flatten().tolist():
        said = tokens[seat][tokens[seat] >= 0]
        if len(said):
            wanted[seat % SLOTS] += embed(said).mean(0)
    assert wanted.any(1).sum() >= 3
    torch.testing.assert_close(soft(usv)[0], wanted)
    ids = torch.tensor([answerer.language_model.prompt_ids("Who?")])
    prompt = soft.prompt(answerer.language_model, ids, usv)
    begin, _ = answerer.language_model.template_tokens
    inputs = embed(ids)
    assert torch.equal(prompt[:, :begin], inputs[:, :begin])
    assert torch.equal(prompt[:, begin + SLOTS :], inputs[:, begin:])


def test_soft_tokens_are_trained_and_read_again(answerer: Answerer, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    model = parameters_of(answerer.language_model.model)
    network, card = train_soft_tokens(answerer, tmp_path, 1.0, steps=2, report=told.append)
    assert card["steps"] == 2 and told[-1]["event"] == "written"
    assert network.out.weight.abs().sum() > 0 and network.empty.abs().sum() > 0
    again, read = load_soft_tokens(tmp_path, answerer)
    assert read == card
    torch.testing.assert_close(again.word, network.word, atol=1e-3, rtol=0)
    assert_untouched(answerer.language_model.model, model)


def test_a_chart_has_a_line_for_every_name() -> None:
    lines = {"one": [(10.0, 0.2), (1000.0, 0.9)], "two": [(10.0, 0.5)], "none": []}
    image = draw([Panel("left", "x", lines), Panel("right", "x", lines, logarithmic=True)], "both")
    seen = {colour for _, colour in image.getcolors(image.width * image.height) or []}
    assert set(COLOURS[:3]) <= seen


FIGURES: dict[str, Any] = {
    "rows": [
        {
            "memories": size, "rival": "ours", "questions": 4, "exact_match": 0.75, "f1": 0.8,
            "containment": 1.0, "bytes_per_memory": 20800.0, "compile_ms": 14.5,
            "prompt_tokens": 21.5, "first_token_ms_p50": 101.0, "first_token_ms_p95": 1234.0,
            "note": "",
        }
        for size in (10, 1000)
    ]
    + [{"memories": 1000, "rival": "lora", "not_run": "not run: too long"}],
    "answers": [],
}  # fmt: skip


def test_the_command_prints_writes_and_draws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "baselines", lambda *_given, **_named: FIGURES)
    figures, plot = tmp_path / "figures.json", tmp_path / "docs" / "rivals.png"
    done = runner(capsys)(
        "bench", "baselines", "--memories", "1000,10", "--json", figures, "--plot", plot
    )
    assert done.code == 0, done.err
    assert "\n10 memories" in done.out and "1,000 memories" in done.out
    assert "20,800" in done.out and "101 / 1,234" in done.out and "not run: too long" in done.out
    assert json.loads(figures.read_text())["rows"] == FIGURES["rows"]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--memories", "1", "give whole numbers from 2"),
        ("--memories", "many", "give whole numbers from 2"),
        ("--rivals", "none,telepathy", "'telepathy' is no rival; there are: none"),
        ("--questions", "0", "greater than or equal to 1"),
    ],
)
def test_bad_options_are_refused(
    option: str,
    value: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    refused = runner(capsys, joined=True)("bench", "baselines", option, value)
    assert refused.code == 2 and told in refused.err
