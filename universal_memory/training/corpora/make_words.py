"""Makes the generated word lists of `words/` (the hand-written ones are left as they are).

Only this script needs Debian `wordnet-base` and the packages `wordfreq`, `faker` and `names`;
the corpus itself reads the committed lists. Lists are sorted by falling frequency, because the
sampler prefers the front of a list. Run: `python make_words.py` (about a minute).
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
OUTPUT = Path(__file__).parent / "words"

# Words that have no place in a household corpus, whatever list they come from.
REFUSED = frozenset(
    "abortion anus arse ass bastard beaver bitch bomb boob bra brothel bugger bum butt cannabis "
    "cock cocaine coffin concubine condom corpse crack cunt dagger dame dick dildo dope dyke fag "
    "faggot fanny gallows genocide ghetto grenade guillotine gun heroin hooker hussy jap knockers "
    "knocker meth missile moron nazi negro nigger opium orgy pansy penis pimp pistol poof porn "
    "prick prostitute pussy rape retard revolver rifle sex skank slave slut spastic strumpet suck "
    "tit titty tit torture toilet tramp turd vagina whore wench wop coon spic kike chink gook cum "
    "hell damn shit fuck crap piss suicide murder terrorist rapist killer marijuana lsd hashish "
    "contraceptive diaphragm tampon pessary enema speculum sanitary nuclear nuke mustard-gas "
    "racist muff housewife proxy pantyhose".split()
)

# Root synsets (offsets of WordNet 3.0) whose descendants make a list.
ROOTS: dict[str, tuple[int, ...]] = {
    "objects": (
        3563967,
        3094503,
        3183080,
        3405725,
        3051540,
        3294048,
        3093574,
        3800933,
        3964744,
        4447443,
        4516672,
        3748886,
        4550840,
        3169390,
        3122748,
    ),
    "clothes": (3051540,),
    "vehicles": (4524313,),
    "tools": (4451818, 4516672),
    "instruments": (3800933,),
    "buildings": (2913152, 4105893),
    "materials_more": (3309808,),
    "occupations": (9632518, 10480253),
    "diseases": (14070360,),
    "sports": (523513,),
    "beverages": (7881800,),
}
WORD_CLASSES = {"1": "noun", "2": "verb", "3": "adjective", "4": "adverb", "5": "adjective"}
EXCLUDED_ROOTS = (4565375, 3247620)  # weapons, drugs


class Wordnet:
    """The noun file of WordNet: synsets, lexicographer files, hyponyms and first senses."""

    def __init__(self, folder: Path) -> None:
        self.lemmas: dict[int, list[str]] = {}
        self.domain: dict[int, int] = {}
        self.instance: set[int] = set()
        self.children: dict[int, list[int]] = {}
        self.first_sense: dict[str, int] = {}
        for line in (folder / "data.noun").read_text().splitlines():
            if line.startswith("  "):
                continue
            fields = line.split("|")[0].split()
            offset, count = int(fields[0]), int(fields[3], 16)
            self.domain[offset] = int(fields[1])
            self.lemmas[offset] = [fields[4 + 2 * i].replace("_", " ") for i in range(count)]
            start = 5 + 2 * count
            for i in range(int(fields[4 + 2 * count])):
                symbol, target = fields[start + 4 * i], int(fields[start + 4 * i + 1])
                if symbol in ("@", "@i"):
                    self.children.setdefault(target, []).append(offset)
                if symbol == "@i":
                    self.instance.add(offset)
        for line in (folder / "index.noun").read_text().splitlines():
            if line.startswith("  "):
                continue
            fields = line.split()
            senses = int(fields[2])
            self.first_sense[fields[0].replace("_", " ")] = int(fields[-senses])
        self.tagged = self._tagged(folder)
        self.adjectives = self._index(folder / "index.adj")
        self.modifiers = self.adjectives | self._index(folder / "index.adv")
        # Pertainyms (`federal`, `polish`) make no sense before a teapot.
        self.adjectives -= {
            lemma
            for line in (folder / "data.adj").read_text().splitlines()
            if line[9:11] == "01"
            for lemma in line.split()[4 : 4 + 2 * int(line.split()[3], 16) : 2]
        }

    @staticmethod
    def _index(path: Path) -> set[str]:
        lines = path.read_text().splitlines()
        return {line.split()[0].replace("_", " ") for line in lines if not line.startswith("  ")}

    @staticmethod
    def _tagged(folder: Path) -> dict[str, dict[str, int]]:
        """How often a lemma was tagged as noun, verb, ... in WordNet's own corpus."""
        counts: dict[str, dict[str, int]] = {}
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, _, count = line.split()
            lemma, sense = key.split("%")
            by_class = counts.setdefault(lemma.replace("_", " "), {})
            word_class = WORD_CLASSES[sense[0]]
            by_class[word_class] = by_class.get(word_class, 0) + int(count)
        return counts

    def mostly(self, word_class: str, lemma: str, share: float) -> bool:
        """False for words that are read as another word class first, by the share of readings."""
        counts = self.tagged.get(lemma, {})
        if not counts:
            return word_class == "noun" and lemma not in self.modifiers
        return counts.get(word_class, 0) >= share * sum(counts.values())

    def descendants(self, *roots: int) -> set[int]:
        """All synsets below the roots, the roots left out."""
        found: set[int] = set()
        stack = list(roots)
        while stack:
            for child in self.children.get(stack.pop(), ()):
                if child not in found:
                    found.add(child)
                    stack.append(child)
        return found - set(roots)

    def common_nouns(self, synsets: Iterable[int]) -> set[str]:
        """Lower-case lemmas whose most frequent sense is one of the synsets."""
        wanted = set(synsets) - self.instance
        return {
            lemma
            for offset in wanted
            for lemma in self.lemmas[offset]
            if lemma.islower()
            and self.first_sense.get(lemma) == offset
            and self.mostly("noun", lemma, 0.75)
        }


@cache
def frequency(phrase: str) -> float:
    """Zipf frequency of a phrase; that of its rarest word less a little for each further word."""
    from wordfreq import zipf_frequency

    words = phrase.split()
    return float(min(zipf_frequency(word, "en") for word in words)) - 1.3 * (len(words) - 1)


def plain(phrase: str) -> bool:
    """True for one or two clean ASCII words that nobody would mind hearing."""
    words = phrase.split()
    return (
        len(words) <= 2
        and re.fullmatch(r"[a-z]{3,14}( [a-z]{3,14})?", phrase) is not None
        and not any(word in REFUSED or word.rstrip("s") in REFUSED for word in words)
    )


def natural_form(noun: str) -> str:
    """The form one likes or buys: `carrots` but `rice`, by which of the two is written more."""
    *head, last = noun.split()
    if last.endswith("s"):
        return noun
    if re.search(r"(ch|sh|x|z)$", last):
        plural = last + "es"
    elif re.search(r"[^aeiou]y$", last):
        plural = last[:-1] + "ies"
    else:
        plural = last + "s"
    return " ".join([*head, plural]) if frequency(plural) > frequency(last) - 0.25 else noun


def ranked(words: Iterable[str], limit: int, floor: float) -> list[str]:
    """The most frequent words above a Zipf floor, most frequent first, ties by spelling."""
    kept = {word for word in words if plain(word) and frequency(word) >= floor}
    return sorted(kept, key=lambda word: (-frequency(word), word))[:limit]


def write(name: str, words: Iterable[str]) -> None:
    """Writes one list, one entry a line."""
    (OUTPUT / f"{name}.txt").write_text("\n".join(dict.fromkeys(words)) + "\n")


def noun_lists(wordnet: Wordnet) -> None:
    """Objects, foods, animals, plants, buildings, occupations and the like."""
    excluded = wordnet.descendants(*EXCLUDED_ROOTS)

    def below(name: str) -> set[str]:
        found = wordnet.common_nouns(wordnet.descendants(*ROOTS[name]) - excluded)
        return {word for word in found if not word.endswith("s") or word.endswith("ss")}

    def domain(number: int, shape: Callable[[str], str] = str) -> set[str]:
        synsets = [offset for offset, value in wordnet.domain.items() if value == number]
        return {shape(word) for word in wordnet.common_nouns(synsets)}

    houses = below("buildings")
    write("objects", ranked(below("objects") - houses, 3200, 1.6))
    write("clothes", ranked(below("clothes"), 260, 1.8))
    write("vehicles", ranked(below("vehicles"), 160, 2.0))
    write("tools", ranked(below("tools"), 240, 1.5))
    write("instruments", ranked(below("instruments"), 120, 1.6))
    write("buildings", ranked(houses, 360, 1.6))
    write("fabrics", ranked(below("materials_more"), 140, 1.8))
    write("occupations", ranked(below("occupations"), 420, 1.8))
    write("sports", ranked(below("sports"), 100, 2.0))
    write("beverages", ranked(below("beverages"), 160, 1.7))
    write("foods_more", ranked(domain(13, natural_form) - below("beverages"), 1200, 1.7))
    write("animals", ranked(domain(5), 1300, 1.9))
    write("flora", ranked(domain(20), 1200, 1.7))


def common_words(wordnet: Wordnet) -> None:
    """Common words for free slots: code words, project names, things in odd places."""
    from wordfreq import top_n_list

    top = [word for word in top_n_list("en", 40000) if re.fullmatch(r"[a-z]{4,11}", word)]
    nouns = [word for word in top if word in wordnet.first_sense and plain(word)]
    lower = [
        word
        for word in nouns
        if any(lemma == word for lemma in wordnet.lemmas[wordnet.first_sense[word]])
        and not word.endswith("s")
        and wordnet.mostly("noun", word, 0.75)
    ]
    adjectives = [
        word
        for word in top
        if word in wordnet.adjectives
        and plain(word)
        and not re.search(r"(ing|ed|ly|teen|ty|ist|ic|al|ian|ese)$", word)
        and wordnet.mostly("adjective", word, 0.7)
    ][60:]
    write("words", lower[:6500])
    write("adjectives", adjectives[:1000])


def names() -> None:
    """First names by gender and surnames, most common in the US census first."""
    import names as census
    from faker.providers import person

    folder = Path(census.__file__).parent

    def from_census(file: str, limit: int) -> list[str]:
        lines = (folder / file).read_text().splitlines()
        return [line.split()[0].capitalize() for line in lines if line.strip()][:limit]

    found: dict[str, list[str]] = {
        "first_names_female": from_census("dist.female.first", 1900),
        "first_names_male": from_census("dist.male.first", 1100),
        "surnames": from_census("dist.all.last", 3200),
    }
    attributes = {
        "first_names_female": "first_names_female",
        "first_names_male": "first_names_male",
        "surnames": "last_names",
    }
    for module in sorted(entry.name for entry in pkgutil.iter_modules(person.__path__)):
        provider = importlib.import_module(f"{person.__name__}.{module}").Provider
        for target, attribute in attributes.items():
            values = getattr(provider, attribute, ())
            fresh = [name for name in values if re.fullmatch(r"[A-Z][a-z]{2,10}", name)]
            found[target].extend(sorted(fresh)[:160])
    female, male = (list(dict.fromkeys(found[f"first_names_{g}"])) for g in ("female", "male"))
    rank_female = {name: rank for rank, name in enumerate(female)}
    rank_male = {name: rank for rank, name in enumerate(male)}
    last = len(female) + len(male)
    # A name used for both is kept where it is more common.
    write("first_names_female", [n for n in female if rank_female[n] <= rank_male.get(n, last)])
    write("first_names_male", [n for n in male if rank_male[n] < rank_female.get(n, last)])
    write("surnames", found["surnames"])


def places() -> None:
    """Cities and countries known to WordNet, streets' names come from words and surnames."""
    wordnet = Wordnet(WORDNET)
    cities = wordnet.descendants(8524735) & wordnet.instance
    countries = wordnet.descendants(8544813, 8168978) & wordnet.instance

    def clean(synsets: Iterable[int], limit: int) -> list[str]:
        found = {
            wordnet.lemmas[offset][0]
            for offset in synsets
            if re.fullmatch(r"[A-Z][a-z]{2,12}( [A-Z][a-z]{2,12})?", wordnet.lemmas[offset][0])
        }
        return sorted(found, key=lambda name: (-frequency(name.lower()), name))[:limit]

    write("cities", clean(cities, 700))
    write("countries", clean(countries, 200))


def main() -> None:
    """Writes every generated list."""
    wordnet = Wordnet(WORDNET)
    noun_lists(wordnet)
    common_words(wordnet)
    names()
    places()


if __name__ == "__main__":
    main()
