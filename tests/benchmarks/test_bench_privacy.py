"""Privacy measured: what counts as a secret, what counts as found, and an attacker who learns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from command_line import Ump, runner

from universal_memory.benchmarks import privacy
from universal_memory.benchmarks.privacy import PassportAttacker, Secret, secrets
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import Lists, PieceNetwork
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower


@pytest.fixture
def ump(capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys, joined=True)


@pytest.fixture(scope="module")
def space(tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(blocks=1), "test-space")


@pytest.fixture(scope="module")
def passports(space: SemanticSpace) -> PassportEncoder:
    torch.manual_seed(0)
    return PassportEncoder(space.reader, PieceNetwork()).eval().requires_grad_(False)


def test_secrets_stand_in_their_texts_and_the_seed_decides() -> None:
    told = secrets(60, "held_out", 7)
    assert told == secrets(60, "held_out", 7) != secrets(60, "held_out", 8)
    for secret in told:
        assert all(word in secret.text for word in (*secret.names, *secret.numbers))
        assert all(any(sign.isdigit() for sign in number) for number in secret.numbers)
    digits = [secret for secret in told if any(sign.isdigit() for sign in secret.text)]
    assert all(secret.numbers for secret in digits) and digits
    assert sum(len(secret.names) for secret in told) > 10


def test_what_was_read_counts_letter_for_letter() -> None:
    told = [Secret("Anna has code 471.", ("Anna",), ("471",)), Secret("Ben sat.", ("Ben",), ())]
    read = ["Annabel has code 471.", "Ben sat."]
    found = privacy._as_written(told, read)
    assert (found["names"], found["numbers"], found["texts"]) == (0.5, 1.0, 0.5)


def test_a_bag_counts_without_order() -> None:
    told = [Secret("Anna 12", ("Anna",), ("12",))]
    spelled = {"Anna": (5, 6), "12": (1, 2)}
    found = privacy._as_bags(told, [[5, 6, 1, 2]], [{2, 1, 5, 9}], spelled)
    assert found == {"names": 0.0, "numbers": 1.0, "words": 0.75, "texts": 0.0}


def test_even_random_passports_are_learnt(
    space: SemanticSpace, passports: PassportEncoder
) -> None:
    attacker = PassportAttacker.trained(space, passports, 1, 400, lambda *_: None)
    pieces = [list(space.tower.token_ids(secret.text)) for secret in secrets(20, "train", 9)]
    given = passports.of_pieces(Lists.of(pieces))
    guesses = attacker.guesses(given, pieces)
    assert [len(bag) for bag in guesses] == [len(set(one)) for one in pieces]
    share = sum(len(set(one) & bag) for one, bag in zip(pieces, guesses, strict=True))
    others = sum(len(set(one) & bag) for one, bag in zip(pieces, guesses[1:], strict=False))
    assert share > 1.3 * others
    the, anna = space.tower.token_ids("the"), space.tower.token_ids("Anna")
    picked = attacker.pick(passports.of_pieces(Lists.of([[*anna, *the]]))[0], [(9999,), anna])
    assert picked in (0, 1)
    assert len(attacker.frequent(5)) == 5


def test_the_command_prints_and_writes(
    ump: Ump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    shares = dict.fromkeys(("names", "numbers", "words", "texts"), 0.5)
    row = {"attacker": "somebody", **shares}
    figures = {"texts": 2, "names": 1, "numbers": 1, "choices": 1000, "rows": [row]}
    monkeypatch.setattr(privacy, "privacy", lambda *_: figures)
    monkeypatch.setattr(SemanticSpace, "load", lambda: SimpleNamespace(space_id="stand-in/1"))
    monkeypatch.setattr(PassportEncoder, "load", lambda space: None)
    result = ump("bench", "privacy", "--json", tmp_path / "privacy.json")
    assert result.code == 0 and "somebody" in result.out and "stand-in/1" in result.out
    assert json.loads((tmp_path / "privacy.json").read_text())["rows"] == [row]
    assert ump("bench", "privacy", "--texts", "1").code == 2


def test_encryption_is_measured_beside_plain(ump: Ump, tmp_path: Path) -> None:
    path = tmp_path / "encryption.json"
    assert ump("bench", "encryption", "--files", 2, "--repeats", 2, "--json", path).code == 0
    rows = json.loads(path.read_text())["rows"]
    assert {"load and verify a file", "append an event"} <= {row["stage"] for row in rows}
    assert all(row["encrypted"][0] > 0 < row["ratio"] for row in rows)


@pytest.mark.slow
def test_a_memory_file_is_as_readable_as_text(ump: Ump, tmp_path: Path) -> None:
    path = tmp_path / "privacy.json"
    assert ump("bench", "privacy", "--texts", 30, "--training", 500, "--json", path).code == 0
    file, other, passport, *_ = json.loads(path.read_text())["rows"]
    assert file["texts"] > 0.8 > 0.1 > other["texts"]
    assert passport["numbers"] > 0.5
