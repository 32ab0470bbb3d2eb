"""A renderer carried over: the same places are found, and what is known of them is kept."""

from __future__ import annotations

import pytest
import torch
from tiny_models import save_language_model
from torch import Tensor

from universal_memory.rendering.piece_tokens import piece_tokens
from universal_memory.rendering.renderer import OF_MEMORIES, Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training import batches, renderer_transfer
from universal_memory.training.batches import QuestionSample, Speller, collate
from universal_memory.training.correspondence import Correspondence, Speaker
from universal_memory.training.renderer_transfer import RendererTransfer, matched_layers

SAMPLES = [
    QuestionSample(0, "Where are the keys?", "blue bowl"),
    QuestionSample(0, "What is in box B27?", "Christmas lights"),
]


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A tiny model that learned its tokens from other texts."""
    texts = ["user assistant where are the lights in the blue box bowl keys"] * 3
    return LanguageModel(str(save_language_model(tmp_path_factory.mktemp("tiny_other"), texts)))


@pytest.fixture
def space(small_tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    encoder = UniversalEncoder(blocks=1)
    reader = SlotReader(small_tower.codes.codes, encoder.seating)
    return SemanticSpace(small_tower, encoder, "test-space", reader)


def speaker(model: LanguageModel, space: SemanticSpace, tokens: Tensor, seed: int) -> Speaker:
    torch.manual_seed(seed)
    config = RendererConfig.for_architecture(model.architecture, "test-space")
    renderer = Renderer(config, space.reader, TokenEmbeddings(model.model), tokens)
    return Speaker(model, renderer.requires_grad_(False))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer_transfer, "BATCHES", 5)
    monkeypatch.setattr(renderer_transfer, "HELD_OUT", 1)
    monkeypatch.setattr(batches, "MAX_TOKENS", 200)


def test_places_are_where_as_much_has_been_said(
    language_model: LanguageModel, other_model: LanguageModel, space: SemanticSpace, tokens: Tensor
) -> None:
    others = piece_tokens(space.tower.codes.pieces, other_model.tokenizer)
    speakers = speaker(language_model, space, tokens, 1), speaker(other_model, space, others, 2)
    found = []
    for one in speakers:
        speller = Speller(space.tower, one.renderer.tokens)
        batch = collate(["text"], SAMPLES, torch.ones(2, 1), one.model, speller)
        rows = []
        for row in range(len(SAMPLES)):
            ids = batch.ids[row]
            rows.append(
                {
                    place: one.model.tokenizer.decode(ids[: position + 1])
                    for place, position in one.places(batch, row).items()
                }
            )
        found.append(rows)
    assert [len(row) for row in found[0]] != [len(row) for row in found[1]]
    for first, second in zip(*found, strict=True):
        common = first.keys() & second.keys()
        assert ("start", 0) in common and len(common) > 5
        assert {part for part, _ in common} == {"start", "question", "answer"}
        for place in common:
            assert first[place] == second[place]


def test_onto_the_same_model_nothing_is_lost(
    language_model: LanguageModel, space: SemanticSpace, tokens: Tensor
) -> None:
    source = speaker(language_model, space, tokens, 1)
    target = speaker(language_model, space, tokens, 2)
    assert matched_layers(target, source, lambda one: one.renderer.config.layers) == [0, 1]
    source.renderer.manner_value.normal_(std=1e-3)
    advanced: list[tuple[int, int]] = []
    transfer = RendererTransfer(Correspondence(space, source, target, seed=3))
    explained = transfer.apply(lambda done, total: advanced.append((done, total)))
    assert advanced[-1] == (5, 5)
    assert min(explained.values()) > 0.8
    ours, theirs = dict(target.renderer.named_parameters()), source.renderer.named_parameters()
    for name, parameter in theirs:
        if name.startswith(OF_MEMORIES):
            assert torch.equal(ours[name], parameter)
    for name in ("key_after", "manner_key", "token", "manner_value", "manner_attention_key"):
        both = torch.stack([getattr(one.renderer, name).flatten() for one in (source, target)])
        assert float(torch.corrcoef(both)[0, 1]) > 0.7, name


def test_renderers_of_other_widths_are_refused(
    language_model: LanguageModel, space: SemanticSpace, tokens: Tensor
) -> None:
    source, target = (speaker(language_model, space, tokens, seed) for seed in (1, 2))
    source.renderer.seat = torch.nn.Parameter(torch.zeros(4, 8))
    with pytest.raises(ValueError, match=r"seat of the renderer .* remedy: train without --like"):
        RendererTransfer(Correspondence(space, source, target, seed=3))
