"""Draws times of day, dates, days and durations."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.drawing import Drawing

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


class Times(Drawing):
    """Times of day, dates, days and durations."""

    def clock(self, first: int = 6, last: int = 22) -> str:
        """A time of day between two full hours: `14:20`, `2:20 pm`, `9 am`."""
        random = self.random

        def make() -> str:
            hour, minute = random.randrange(first, last + 1), random.randrange(0, 60, 5)
            shape = random.random()
            if shape < 0.6:
                return f"{hour}:{minute:02d}"
            half = "am" if hour < 12 else "pm"
            hour = (hour - 1) % 12 + 1
            return f"{hour}:{minute:02d} {half}" if minute else f"{hour} {half}"

        return self.hashed(make)

    def time(self) -> Value:
        text = self.clock()
        return plain(text, f"at {text}")

    def day_time(self) -> Value:
        day = self.random.choice(WEEKDAYS)
        clock = self.clock()
        text = f"{day} at {clock}"
        return plain(text, f"on {text}", f"{day} {clock}")

    def date(self) -> Value:
        random = self.random
        month = random.choice(MONTHS)

        def make() -> str:
            day = random.randrange(1, 29)
            return f"{month} {day}" if random.random() < 0.6 else f"{day} {month}"

        text = self.hashed(make)
        first, second = text.split(" ")
        return plain(text, f"on {text}", f"{second} {first}")

    def hours(self) -> Value:
        opening, closing = self.clock(6, 12), self.clock(13, 23)
        return plain(f"{opening} to {closing}", f"from {opening} to {closing}")

    def day_name(self) -> Value:
        return Value(self.random.choice(WEEKDAYS), ("",))

    def meal(self) -> Value:
        return plain(self.random.choice(("breakfast", "lunch", "dinner", "supper", "brunch")))

    def minutes(self) -> Value:
        return plain(self.number(2, 120))

    def duration(self) -> Value:
        unit = self.random.choice(("minutes", "minutes", "hours", "days", "weeks"))
        count = self.number(2, {"minutes": 90, "hours": 48, "days": 30, "weeks": 20}[unit])
        return plain(f"{count} {unit}", f"for {count} {unit}", count)
