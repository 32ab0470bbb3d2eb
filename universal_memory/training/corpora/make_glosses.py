"""Makes `words/glosses.tsv`: nouns and what they are, real prose from WordNet's noun file.

Needs what `make_words.py` needs. Run, with the folder of Debian's `wordnet-base` where it is not
installed: `python -m universal_memory.training.corpora.make_glosses [/usr/share/wordnet]`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from universal_memory.training.corpora.generator import template_words
from universal_memory.training.corpora.glosses import GLOSSES, listed_held_out
from universal_memory.training.corpora.make_words import (
    EXCLUDED_ROOTS,
    REFUSED,
    WORDNET,
    Wordnet,
    frequency,
    plain,
)
from universal_memory.training.corpora.vocabulary import content_words, split_of

WANTED = 7400
FLOOR = 1.2  # Zipf frequency of the rarest headword
WORDS = (5, 16)
CHARACTERS = 92
# Said, not written: a union, a ewe, an hour.
VOWEL = re.compile(
    r"(?!eu|ewe|one|uni(?!m|n)|us[aeu]|ut[eio]|ur[aei]|uvu)[aeiou]|hour|heir|honou?r"
)
DETERMINERS = frozenset("a an the any one either someone something".split())

# Glosses that mention these are left out: not what a household robot should learn to read from.
UNWANTED = REFUSED | frozenset(
    "offensive disparaging derogatory obscene sexual sexually intercourse genital genitals semen "
    "ethnic race racial jew jews jewish muslim nazi kill kills killed killing killer murder drug "
    "drugs narcotic slang vulgar insult insulting homosexual lesbian gay drunk drunken feces fecal "
    "excrement urine urination weapon weapons bombs guns firearm execution executed dead breast "
    "breasts buttocks erotic lewd stupid idiot fool contempt contemptible victim victims slavery "
    "slaves menstruation lynch whipping flogging cannibal incest castrated testicles mistress "
    "defecation suicidal explosive masochist sadist negroes blacks whites redneck lust orgasm nude "
    "naked nipple testicle vulva sexuality bisexuality eroticism hag debauchery genitalia sexes "
    "atrocity savagery cruel abusive tormented deformed bigot harassment assassination fiend "
    "inhuman hooligan mutt slum torture corpse".split()
)


def cleaned(text: str) -> str | None:
    """The first clause of a gloss without parentheses, None where it is no plain prose."""
    text = re.sub(r"\([^()]*\)", "", text.partition(";")[0])
    text = re.sub(r"\s+,", ",", re.sub(r"\s+", " ", text)).strip(" ,")
    if not re.fullmatch(r"[a-z][A-Za-z]*(,? [A-Za-z]+(['-][A-Za-z]+)*)+", text):
        text = text if re.fullmatch(r"[a-z][A-Za-z' ,-]*", text) else ""
    words = text.split()
    if not WORDS[0] <= len(words) <= WORDS[1] or len(text) > CHARACTERS:
        return None
    bare = {word.strip(",").lower() for word in words}
    return None if {*bare, *(word.rstrip("s") for word in bare)} & UNWANTED else text


def says_itself(headword: str, gloss: str) -> bool:
    """Whether a word of the gloss begins as a word of the headword does."""
    stems = tuple(word[: max(4, len(word) - 3)] for word in headword.split())
    return any(word.startswith(stems) for word in re.findall(r"[a-z]+", gloss.lower()))


def with_article(headword: str, gloss: str) -> str | None:
    """`a colander`, `oxygen`; None where the two would make no sentence."""
    last = headword.rsplit(" ", 1)[-1]
    plural = last[:-1] + "ies" if re.search(r"[^aeiou]y$", last) else last + "s"
    if re.search(r"(ch|sh|x|z|ss)$", last):
        plural = last + "es"
    counted = frequency(plural) > frequency(last) - 1.2
    if counted and gloss.split()[0] not in DETERMINERS:
        return None
    if not counted:
        return headword
    return ("an " if VOWEL.match(headword) else "a ") + headword


def entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Headwords, most frequent first, with the gloss of their first sense; no gloss twice."""
    wordnet = Wordnet(folder)
    excluded = wordnet.descendants(*EXCLUDED_ROOTS)
    nouns = {
        noun
        for noun in wordnet.common_nouns(set(wordnet.lemmas) - excluded)
        if plain(noun) and frequency(noun) >= FLOOR and (noun[-1] != "s" or noun[-2:] == "ss")
    }
    glosses = {
        int(line[:8]): line.partition("|")[2].strip()
        for line in (folder / "data.noun").read_text().splitlines()
        if not line.startswith("  ")
    }
    seen: set[str] = set()
    for noun in sorted(nouns, key=lambda noun: (-frequency(noun), noun)):
        gloss = cleaned(glosses[wordnet.first_sense[noun]])
        if gloss is None or gloss in seen or says_itself(noun, gloss):
            continue
        headword = with_article(noun, gloss)
        if headword is not None:
            seen.add(gloss)
            yield headword, gloss


def main() -> None:
    """Writes the list: only entries that one of the splits can use."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else WORDNET
    found = list(entries(folder))
    held_out = listed_held_out(template_words())
    held_out |= {
        w for head, _ in found if split_of(head) == "held_out" for w in content_words(head)
    }
    everything = "\n".join(gloss for _, gloss in found)
    usable = [
        (headword, gloss)
        for headword, gloss in found
        # A held-out gloss that another one contains would be read in training.
        if (split_of(headword) == "held_out" and everything.count(gloss) == 1)
        or (split_of(headword) == "train" and not content_words(gloss) & held_out)
    ]
    lines = [f"{headword}\t{gloss}\n" for headword, gloss in usable[:WANTED]]
    GLOSSES.write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
