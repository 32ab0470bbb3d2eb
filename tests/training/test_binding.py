"""What belongs together: found in the corpus's sentences, told to a renderer, and learned."""

from __future__ import annotations

import pytest
import torch

from universal_memory.rendering.word_binding import FAR
from universal_memory.space.text_tower import TextTower
from universal_memory.training.binding import Bonds, bonds_of
from universal_memory.training.corpora.samples import EpisodeSample, Fact, Question

TOLD = Fact(
    "when", "At 9:30 Anna fed the cat. At 10:15 Tom left.",
    (Question("When did Tom leave?", ("10:15",)),), ("Tom", "left"),
)  # fmt: skip
TEA = Fact("tea", "Edith likes tea.", (Question("What does Edith like?", ("tea",)),), ("Edith",))


def episode(*facts: Fact) -> EpisodeSample:
    return EpisodeSample(" ".join(fact.statement for fact in facts), facts)


def words(tower: TextTower, text: str, places: list[int]) -> list[str]:
    pieces = tower.tokenizer.convert_ids_to_tokens(list(tower.token_ids(text)))
    return [pieces[place] for place in places]


def test_an_answer_belongs_with_what_its_question_names(tower: TextTower) -> None:
    both = episode(TEA, TOLD)
    bonds = bonds_of([episode(TEA), both], tower)
    assert bonds.memory.tolist() == [0, 1, *[1] * 5]  # 10:15 is five pieces
    assert words(tower, both.text, bonds.seat[1:].tolist()) == ["tea", *"10:15"]
    tom = bonds.partners[-1].nonzero().flatten().tolist()
    assert words(tower, both.text, tom) == ["tom", "left"]
    edith = bonds.partners[1].nonzero().flatten().tolist()
    assert words(tower, both.text, edith) == ["edith"]


def test_what_has_no_seat_is_left_out(tower: TextTower) -> None:
    bonds = bonds_of([episode(*[TOLD] * 6)], tower)
    assert int(bonds.seat.max()) < 64
    assert bonds_of([EpisodeSample("", ())], tower).partners.shape == (0, 64)


def test_the_loss_is_of_attention_that_goes_elsewhere() -> None:
    partners = torch.zeros(2, 64, dtype=torch.bool)
    partners[0, 1], partners[1, 50] = True, True  # the second lies beyond the seats that are used
    bonds = Bonds(torch.tensor([0, 0]), torch.tensor([2, 2]), partners)
    shares = torch.full((1, 3, 3), 1 / 3)
    assert float(bonds.loss(shares.log())) == pytest.approx(torch.tensor(3.0).log().item())
    shares[0, 2] = torch.tensor([0.1, 0.8, 0.1])
    assert float(bonds.loss(shares.log())) == pytest.approx(-torch.tensor(0.8).log().item())
    assert bonds.share(shares.log()) == pytest.approx(0.8)


def test_the_loss_asks_for_every_word_of_the_question() -> None:
    partners = torch.zeros(1, 64, dtype=torch.bool)
    partners[0, :2] = True
    bonds = Bonds(torch.tensor([0]), torch.tensor([2]), partners)
    one = torch.tensor([0.98, 0.01, 0.01]).log().expand(1, 3, 3)
    both = torch.tensor([0.495, 0.495, 0.01]).log().expand(1, 3, 3)
    assert bonds.share(one) == pytest.approx(bonds.share(both))
    assert float(bonds.loss(both)) < 0.02
    assert float(bonds.loss(one)) > 1.0


def test_where_nothing_is_known_there_is_no_loss() -> None:
    nothing = Bonds(torch.zeros(0).long(), torch.zeros(0).long(), torch.zeros(0, 64).bool())
    assert float(nothing.loss(torch.zeros(1, 3, 3))) == 0.0


def test_a_seat_that_could_not_be_read_is_nobodys_partner() -> None:
    partners = torch.zeros(1, 64, dtype=torch.bool)
    partners[0, 1] = True
    bonds = Bonds(torch.tensor([0]), torch.tensor([2]), partners)
    shares = torch.tensor([0.5, FAR, 0.5]).expand(1, 3, 3)
    assert float(bonds.loss(shares)) == 0.0
