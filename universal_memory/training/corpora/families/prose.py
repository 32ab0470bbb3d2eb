"""What words mean: sentences of real prose (`glosses.py`), asked with a blank, or by the word.

The parts of a gloss are slots, so that a sentence with a blank is a template like any other.
"""

from __future__ import annotations

from universal_memory.training.corpora.family import Family

AROUND = {name: f"cloze.{name}" for name in ("word", "before", "missing", "after")}
NEAR = {name: f"cloze.{name}" for name in ("word", "start", "left", "missing", "right", "end")}
WHOLE = {"word": "gloss.word", "meaning": "gloss.meaning"}

FAMILIES = (
    Family(
        name="cloze_sentence",
        slots=AROUND,
        subject=("before", "after"),
        answer="missing",
        statements=(
            "{word} is {before}{missing}{after}.",
            "{word:bare}: {before}{missing}{after}.",
            "{word} means {before}{missing}{after}.",
            "by {word:bare} we mean {before}{missing}{after}.",
            "the book says that {word} is {before}{missing}{after}.",
            "what we call {word:bare} is {before}{missing}{after}.",
        ),
        questions=(
            "Fill in the blank: {word} is {before}____{after}.",
            "Complete: {word} is {before}____{after}.",
            "Which word is missing: {word} is {before}____{after}?",
            "What goes in the gap: {before}____{after}?",
            "{word} is {before}what{after}?",
            "Fill in what is missing: {word:bare}, {before}...{after}",
            "Complete the sentence: {before}____{after}.",
        ),
        genre="gloss",
        weight=3.0,
    ),
    Family(
        name="cloze_part",
        slots=NEAR,
        subject=("word", "left", "right"),
        answer="missing",
        statements=(
            "{word} is {start}{left}{missing}{right}{end}.",
            "{word:bare}: {start}{left}{missing}{right}{end}.",
            "{word} means {start}{left}{missing}{right}{end}.",
            "by {word:bare} we mean {start}{left}{missing}{right}{end}.",
            "there is {word} here, which is {start}{left}{missing}{right}{end}.",
        ),
        questions=(
            "About {word}, fill in the blank: {left}____{right}",
            "Which word is missing about {word}: {left}____{right}?",
            "What was said of {word}: {left}____{right}?",
            "{word:bare}: {left}____{right}. What is missing?",
            "Complete what was said of {word}: {left}____{right}",
        ),
        genre="gloss",
    ),
    Family(
        name="definition",
        slots=WHOLE,
        subject=("word",),
        answer="meaning",
        statements=(
            "{word} is {meaning}.",
            "{word:bare}: {meaning}.",
            "{word} means {meaning}.",
            "by {word:bare} we mean {meaning}.",
            "what we call {word:bare} is {meaning}.",
            "the meaning of {word:bare} is {meaning}.",
        ),
        questions=(
            "What is {word}?",
            "What does {word:bare} mean?",
            "What is meant by {word:bare}?",
            "What is the meaning of {word:bare}?",
            "How was {word} described?",
            "Explain what {word} is.",
        ),
        topic="meaning",
        genre="gloss",
    ),
    Family(
        name="word_for",
        slots=WHOLE,
        subject=("meaning",),
        answer="word",
        statements=(
            "{meaning} is called {word}.",
            "the word {word:bare} means {meaning}.",
            "I have learned that {word} is {meaning}.",
            "the word for {meaning} is {word:bare}.",
            "by {word:bare} we mean {meaning}.",
            "the book calls {meaning} {word}.",
        ),
        questions=(
            "What is the word for {meaning}?",
            "What do you call {meaning}?",
            "Which word means {meaning}?",
            "What is {meaning} called?",
            "Name {meaning}.",
            "Fill in the blank: ____ is {meaning}.",
        ),
        genre="gloss",
    ),
    Family(
        name="tool_look_up",
        slots=WHOLE,
        subject=("word",),
        answer="meaning",
        statements=(
            "Tool look_up(word={word:bare}) returned meaning={meaning}.",
            "Tool dictionary.find(word={word:bare}) returned text={meaning}.",
            "Tool search(query={word:bare}) returned result={meaning}.",
            "Tool ask_dictionary(language=en, word={word:bare}) returned meaning={meaning}.",
            "Tool define(term={word:bare}) returned definition={meaning}.",
        ),
        questions=(
            "What did the dictionary say about {word:bare}?",
            "What was found when {word:bare} was looked up?",
            "What does {word:bare} mean?",
            "What is {word}?",
            "What meaning was found for {word:bare}?",
        ),
        form="tool",
        topic="meaning",
        genre="gloss",
    ),
)
