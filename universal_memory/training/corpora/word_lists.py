"""Lists of words, blends of words and codes: texts that say nothing, to learn spelling from.

Every word of the trained split comes as often as any other. A blend, the front of one word and the
back of another, is a word that nobody has seen: spelling carries over to those only if it is read,
not looked up.
"""

from __future__ import annotations

from functools import cache
from random import Random

from universal_memory.training.corpora.generator import vocabulary_of
from universal_memory.training.corpora.slots import SlotSampler
from universal_memory.training.corpora.vocabulary import FOLDER, Vocabulary, split_of

CODES = ("pin", "code", "plate", "phone", "room_number", "password", "time", "price", "amount",
         "dose", "project", "reading")  # fmt: skip
ITEMS = (4, 9)  # of a list
WORD, BLEND = 0.45, 0.25  # shares of them; the rest are codes
JOIN = (" ", " ", " ", ", ", " and ", "-")


@cache
def _words(vocabulary: Vocabulary) -> tuple[str, ...]:
    lists = sorted(path.stem for path in FOLDER.glob("*.txt"))
    return tuple(sorted({word for name in lists for word in vocabulary.pool(name)}))


def word_lists(seed: int, count: int) -> list[str]:
    """`count` lists of trained words and of what can be made of them; same seed, same lists."""
    random = Random(f"{seed} word lists")
    vocabulary = vocabulary_of("train", "open")
    words, codes = _words(vocabulary), SlotSampler(vocabulary, random)

    def item() -> str:
        share = random.random()
        if share > WORD + BLEND:
            return codes.draw(random.choice(CODES)).text
        word = random.choice(words)
        while share > WORD:
            front, back = random.choice(words), random.choice(words)
            word = front[: random.randint(2, 5)] + back[-random.randint(2, 5) :].lower()
            if split_of(word) == "train":  # a blend may be a word that is held out
                break
        case = random.random()
        return word.capitalize() if case < 0.4 else word.upper() if case < 0.45 else word

    texts = []
    for _ in range(count):
        text = item()
        for _ in range(random.randint(*ITEMS) - 1):
            text += random.choice(JOIN) + item()
        texts.append(text)
    return texts
