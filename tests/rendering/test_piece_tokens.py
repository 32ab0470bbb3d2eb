"""How a model writes word pieces: in every form, and nothing where it cannot."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import PreTrainedTokenizerFast

from universal_memory.rendering.piece_tokens import NONE, after_bare_space, piece_tokens, spoken
from universal_memory.runtime.language_model import LanguageModel

PIECES = ["[UNK]", "tea", "##room", "2", "[", "zyxwvutsrqponmlkjihg"]


def said(language_model: LanguageModel, piece: str, flags: str) -> str:
    tokens = piece_tokens(PIECES, language_model.tokenizer)
    row = spoken(
        tokens,
        torch.tensor([PIECES.index(piece)]),
        torch.tensor([[flag == "1" for flag in flags]]),
    )[0]
    return str(language_model.tokenizer.decode(row[row != NONE]))


@pytest.mark.parametrize(
    ("piece", "flags", "wanted"),
    [
        ("tea", "000", " tea"),
        ("tea", "100", " Tea"),
        ("tea", "110", " TEA"),
        ("tea", "001", "tea"),
        ("##room", "001", "room"),
        ("2", "000", " 2"),
        ("2", "001", "2"),
        ("[", "001", "["),
    ],
)
def test_every_form_has_its_tokens(
    language_model: LanguageModel, piece: str, flags: str, wanted: str
) -> None:
    assert said(language_model, piece, flags) == wanted


def test_a_bare_space_is_a_token_before_the_same_without_it() -> None:
    digit, word, twice = [[9, 5], [5]], [[1], [2]], [[3, 3], [3, 3]]
    rows = [[ids + [NONE] * (4 - len(ids)) for ids in forms] for forms in (digit, word, twice)]
    tokens = torch.tensor(rows).transpose(0, 1).repeat_interleave(3, dim=0)
    pieces = torch.tensor([0, 1, 2])
    for capital in (False, True):
        free, joined = (torch.tensor([[capital, capital, flag]] * 3) for flag in (False, True))
        assert after_bare_space(tokens, pieces, free).tolist() == [True, False, False]
        assert not after_bare_space(tokens, pieces, joined).any()


@pytest.mark.parametrize("piece", ["[UNK]", "zyxwvutsrqponmlkjihg"])
def test_what_cannot_be_said_has_none(language_model: LanguageModel, piece: str) -> None:
    assert said(language_model, piece, "000") == ""


def sentencepiece(broken: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer as those of Llama 2 and Mistral: it puts a space before everything."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    if broken:
        steps.append(normalizers.Replace("\n", ""))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(["tea", "room", "Tea", "Room", "TEA", "ROOM", "\n"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def test_a_space_that_a_tokenizer_puts_before_everything_is_not_said() -> None:
    tokenizer = sentencepiece()
    assert tokenizer.decode(tokenizer("tea")["input_ids"]) == " tea"
    tokens = piece_tokens(["tea", "##room"], tokenizer)
    written = [[tokenizer.decode(row[row != NONE]) for row in form] for form in tokens]
    assert written[0] == [" tea", " room"] and written[3] == ["tea", "room"]
    assert written[1] == [" Tea", " Room"] and written[4] == ["Tea", "Room"]


def test_without_a_token_for_a_line_break_pieces_stand_alone() -> None:
    tokenizer = sentencepiece(broken=True)
    row = piece_tokens(["tea"], tokenizer)[3, 0]
    assert row[row != NONE].tolist() == tokenizer("tea")["input_ids"]
