"""A choice among families by their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from universal_memory.training.corpora.family import Family

NATIVE_WEIGHT = 3.0  # of families that exist only as transcripts, against prose read aloud


@dataclass(frozen=True)
class WeightedChoice:
    """The families that can take one form, with running totals of their weights."""

    families: tuple[Family, ...]
    totals: tuple[float, ...]

    @classmethod
    def of(cls, families: Sequence[Family], form: str) -> WeightedChoice | None:
        """The choice among the families of a form, prose also as transcripts; None if empty."""
        able = tuple(
            family
            for family in families
            if form == family.form or (form == "transcript" and family.form == "prose")
        )
        weights = (
            family.weight * (NATIVE_WEIGHT if family.form == form else 1.0) for family in able
        )
        return cls(able, tuple(accumulate(weights))) if able else None

    def draw(self, random: Random) -> Family:
        """One family."""
        return random.choices(self.families, cum_weights=self.totals)[0]
