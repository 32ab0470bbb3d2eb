"""The house with a tiny language model in it: the mechanics are real, the knowledge is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from house import House, ScatteredPassports, SignpostRouter
from sleepers import Sleeper

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.episode import EpisodeCutter
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.piece_tokens import piece_tokens
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.routing.calibration import Calibration
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.compiler import Compiler
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower


@pytest.fixture(scope="session")
def space(tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(blocks=1), "test-space")


@pytest.fixture(scope="session")
def passport_encoder(space: SemanticSpace) -> PassportEncoder:
    torch.manual_seed(0)
    return ScatteredPassports(space).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def signposts(space: SemanticSpace) -> SignpostRouter:
    torch.manual_seed(0)
    questions = QuestionEncoder()
    return SignpostRouter(
        space.tower.token_ids, questions, Reranker(questions.pieces), Calibration(20.0, 0.0, -6.0)
    )


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[RollingBuffer]:
    with RollingBuffer(tmp_path / "buffer.sqlite", max_seconds=1e6) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def new_compiler(
    space: SemanticSpace,
    passport_encoder: PassportEncoder,
    store: MemoryStore,
    buffer: RollingBuffer,
) -> Callable[[], Compiler]:
    """Starts a compiler, as a new process would."""
    cutter = EpisodeCutter(count=space.tower.count, max_events=4)
    return lambda: Compiler(space, passport_encoder, store, buffer, cutter)


@pytest.fixture
def house(
    language_model: LanguageModel,
    space: SemanticSpace,
    passport_encoder: PassportEncoder,
    signposts: SignpostRouter,
    store: MemoryStore,
    buffer: RollingBuffer,
    new_compiler: Callable[[], Compiler],
) -> House:
    torch.manual_seed(0)
    architecture = language_model.architecture
    renderer = Renderer(
        RendererConfig.for_architecture(architecture, space.space_id),
        space.reader,
        TokenEmbeddings(language_model.model),
        piece_tokens(space.tower.codes.pieces, language_model.tokenizer),
    )
    renderer.requires_grad_(False).value.mul_(500)  # loud enough to change every answer
    signposts.signs = {}
    answerer = Answerer(
        language_model, renderer, space, passport_encoder, signposts, store, PassportIndex(),
        cache_size=2,
    )  # fmt: skip
    return House(buffer, store, new_compiler(), answerer, signposts)


@pytest.fixture(scope="session")
def sleeper(tower: TextTower) -> Sleeper:
    return Sleeper.of(tower)


@pytest.fixture
def answerer(sleeper: Sleeper, store: MemoryStore, language_model: LanguageModel) -> Answerer:
    """Of random weights; each question leads where it is told."""
    torch.manual_seed(0)
    questions = QuestionEncoder()
    router = SignpostRouter(
        sleeper.space.tower.token_ids, questions, Reranker(questions.pieces),
        Calibration(20.0, 0.0, -6.0),
    )  # fmt: skip
    router.signs = {}
    renderer = Renderer(
        RendererConfig.for_architecture(language_model.architecture, "test-space"),
        sleeper.space.reader,
        TokenEmbeddings(language_model.model),
        piece_tokens(sleeper.space.tower.codes.pieces, language_model.tokenizer),
    )
    renderer.requires_grad_(False).value.mul_(500)
    return Answerer(
        language_model, renderer, sleeper.space, sleeper.passports, router, store, PassportIndex()
    )
