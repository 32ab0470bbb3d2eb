"""The synthetic corpus: episodes of household, work and robot facts with questions about them.

Members:
    EpisodeGenerator: an endless deterministic stream of episodes.
    EpisodeSample, Fact, Question: what it yields.
    family_names, families_of: the families of facts, and those a split draws from.

Example:
    >>> from universal_memory.training.corpora import EpisodeGenerator
    >>> sample = EpisodeGenerator(seed=1).episode(facts=2)
    >>> sample.facts[0].questions[0].answers[0] in sample.text
    True
"""

from universal_memory.training.corpora.families import families_of, family_names
from universal_memory.training.corpora.generator import EpisodeGenerator
from universal_memory.training.corpora.samples import EpisodeSample, Fact, Question
from universal_memory.training.corpora.subject_register import SubjectRegister

__all__ = [
    "EpisodeGenerator",
    "EpisodeSample",
    "Fact",
    "Question",
    "SubjectRegister",
    "families_of",
    "family_names",
]
