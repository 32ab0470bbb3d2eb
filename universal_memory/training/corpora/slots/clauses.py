"""Draws whole clauses of 6 to 15 words: what people ask for, tell, warn of and give as a reason."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, fill, parse, plain
from universal_memory.training.corpora.slots.drawing import Drawing
from universal_memory.training.corpora.vocabulary import content_words

LONG = (6, 15)  # words of a clause

# Slots are kinds of words; a digit after one draws another of the same kind.
WHEN = (
    "before {first_name} comes home", "before {time}", "after {meal}", "as soon as it is {weather}",
    "before the {event} on {day_name_said}", "when {first_name} has left", "every {day_name_said}",
    "on {date}", "while I am at the {public_place:bare}", "until {first_name} is back",
    "as long as {first_name} is {doing}", "on {day_name_said} at {time}", "in {duration}",
)  # fmt: skip
REQUESTS = (
    "please {task} {when}",
    "please {task} and {task2} {when}",
    "{task} first, and then {task2}, but not {when}",
    "bring the {object} from the {room:bare} to {first_name} {when}",
    "please put the {object} {place} {when}",
    "tell {first_name} that the {object} {object:is|are} {place}",
    "do not let the {animal} into the {room:bare} {when}",
    "ask {first_name} to {task} {when}",
    "look for the {object} in the {room:bare} and the {room2:bare} {when}",
    "water the {plant} by the {spot} {when}",
    "never {task} without asking {first_name} first",
    "help {first_name} with the {object} and {task} {when}",
)  # fmt: skip
NEWS = (
    "the {vehicle} to {city} is late because of the {problem_thing} in {city2}",
    "{first_name} and {first_name2} are coming for {meal} on {day_name_said} at {time}",
    "we have no {food} left, so {first_name} will go to the {public_place:bare}",
    "the {appliance} in the {room:bare} {appliance:is|are} {problem} since {day_name_said}",
    "{first_name} has found the {object} {place} and will keep {object:it|them} until {date}",
    "I will be at the {public_place:bare} in {city} with {first_name} until {time}",
    "the {event} with {first_name} was moved from {day_name_said} to {date}",
    "somebody left the {object} {place} and it has to go back to {first_name}",
    "{first_name} sold the {object} to {full_name} for {price}",
    "there was {thing:a} on the {spot}, but nobody knows who brought it",
)  # fmt: skip
RULES = (
    "please do not touch the {object} {when}",
    "no {food} and no {drink} in the {room:bare} please",
    "closed {when}, please ask {first_name} at the {public_place:bare}",
    "please leave the {object} {place} and ring for {first_name}",
    "use the other door {when} because the {object} {object:is|are} {problem}",
    "only {role} and {role2} may use the {appliance} {when}",
    "the {event} has been moved to the {public_place:bare} until {date}",
    "please {task} and switch off the {appliance} when you leave",
    "keep the {animal} away from the {food} at all times",
    "please wait here until {first_name} calls your number",
)  # fmt: skip
STEPS = (
    "open the {colour} flap, press the button for {duration} and close it again",
    "put {amount} spoons of {food} into it and wait for {duration}",
    "turn the {colour} knob to {amount} and then push the {object}",
    "take out the {object}, wipe it with {food} and put it back",
    "hold the {colour} switch until the {object} {object:is|are} {problem}",
    "lift the lid, turn the {object} to the left and count to {amount}",
    "pull the {colour} lever twice and enter the code {pin}",
    "first {task}, then press the {colour} button next to the {object}",
    "connect the {object} to the {appliance} and wait until it is {temperature}",
    "ask {first_name} for the {object}, because the {colour} button is {problem}",
)  # fmt: skip
CAUSES = (
    "the {vehicle} from {city} was {problem} for {duration}",
    "{first_name} forgot to {task} before the {event}",
    "the {animal} of {first_name} ran away with the {object}",
    "the {object} {object:was|were} still {place} on {day_name_said}",
    "{first_name} had to {task} and {task2} first",
    "nobody could find the {object} in the {room:bare} of {first_name}",
    "the {appliance} in the {room:bare} was {problem} all day",
    "{first_name} needed {thing:a} for the {event} in {city}",
    "the road to {city} was full of {animal} and {food}",
    "somebody had put {food} into the {appliance} of {first_name}",
)  # fmt: skip
SCENES = (
    "a person in {clothing:a} carrying {thing:a} to the {spot:bare}",
    "a child with {animal:a} and {thing:a} beside the {spot:bare}",
    "two people at the {spot:bare} looking at {thing:a} and {thing2:a}",
    "{thing:a} on the {spot:bare} and {thing2:a} under it",
    "somebody in {clothing:a} washing {thing:a} in the {room:bare}",
    "{animal:a} asleep between {thing:a} and {thing2:a}",
    "a {colour} table with {food}, {food2} and {thing:a} on it",
    "a person with {thing:a} waiting for the {vehicle} at the {public_place:bare}",
    "{thing:a} fallen to the floor next to {animal:a}",
    "an open {container_name} full of {food} in front of {thing:a}",
)  # fmt: skip
CLAUSES = (*WHEN, *REQUESTS, *NEWS, *RULES, *STEPS, *CAUSES, *SCENES)
CLAUSE_WORDS = frozenset(
    word for clause in CLAUSES for text, _, _ in parse(clause) for word in content_words(text)
) | content_words("it them")


class Clauses(Drawing):
    """Whole clauses."""

    def request(self) -> Value:
        return self._clause(REQUESTS)

    def news(self) -> Value:
        return self._clause(NEWS)

    def rule(self) -> Value:
        return self._clause(RULES)

    def steps(self) -> Value:
        return self._clause(STEPS)

    def cause(self) -> Value:
        return self._clause(CAUSES)

    def scene(self) -> Value:
        return self._clause(SCENES)

    def problem_thing(self) -> Value:
        return plain(f"{self.draw('problem').text} {self.draw('bare_object').text}")

    def day_name_said(self) -> Value:
        return plain(self.draw("day_name").text)

    def _clause(self, templates: tuple[str, ...]) -> Value:
        """A clause of the right length in which no two slots share a word."""
        while True:
            template = self.random.choice(templates)
            if "{when}" in template:
                template = template.replace("{when}", self.random.choice(WHEN))
            values: dict[str, Value] = {}
            used: set[str] = set()
            for _, slot, _ in parse(template):
                if slot is None or slot in values:
                    continue
                value = values[slot] = self.draw(slot.rstrip("2"))
                if value.keys & used:
                    break
                used |= value.keys
            else:
                text = fill(template, values)
                if LONG[0] <= len(text.split()) <= LONG[1]:
                    return plain(text)
