"""The text tower: what it shows of a text, and what it leaves out."""

from __future__ import annotations

import pytest
import torch

from universal_memory.space.text_tower import CONTEXT_WIDTH, MAX_WORD_PIECES, PARTS, TextTower


def test_one_state_a_word_piece(tower: TextTower) -> None:
    texts = ["the tea", "Anna said: my tea should be weak."]
    found = tower(texts)
    assert found.mask.sum(1).tolist() == [tower.count(text) for text in texts] == [2, 9]
    assert found.states.shape == (2, found.mask.shape[1], CONTEXT_WIDTH)
    words = tower.words
    ids = torch.tensor(tower.token_ids(texts[0]))
    assert torch.equal(found.states[0, :2, :384], words[ids])


def test_batch_is_the_single_text(tower: TextTower) -> None:
    text = "Sign reads: pharmacy room 12."
    alone, batch = tower([text]), tower([text, "a much longer text " * 5])
    pieces = alone.states.shape[1]
    torch.testing.assert_close(
        batch.states[:1, :pieces][alone.mask], alone.states[alone.mask], atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(batch.pooled()[:1], alone.pooled(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("text", ["", "   "])
def test_empty_text_has_one_state(tower: TextTower, text: str) -> None:
    found = tower([text, "the tea"])
    assert found.mask.sum(1).tolist() == [1, 2]
    assert found.states.isfinite().all()


def test_long_text_is_cut(tower: TextTower) -> None:
    text = "word " * 400
    assert tower.count(text) == len(tower.token_ids(text)) == 400
    assert tower([text]).mask.sum() == MAX_WORD_PIECES


def test_digits_are_pieces_of_their_own(tower: TextTower) -> None:
    pieces = tower.tokenizer.convert_ids_to_tokens(tower.token_ids("box B27 at 20:30"))
    assert pieces == ["box", "b", "2", "7", "at", "2", "0", ":", "3", "0"]


def test_pieces_are_marked_with_what_they_are(tower: TextTower) -> None:
    text = "Anna's box B27"
    found = tower([text])
    ids, flags = tower.written(text)
    assert ids.tolist() == found.ids[0][found.mask[0]].tolist() == list(tower.token_ids(text))
    assert torch.equal(flags, found.flags[0][found.mask[0]])
    marks = found.states[0, : len(ids), PARTS[0] + PARTS[1] :]
    assert torch.equal(marks, tower.codes.marks(ids, flags))
