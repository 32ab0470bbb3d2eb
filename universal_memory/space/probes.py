"""Labelled probes: short texts of known kinds, to tell what kind of thing a memory is about.

A memory is likened to a probe slot by slot: every slot with the nearest one of the other, both
ways, as late interaction does with words (Khattab and Zaharia 2020). Of the representations tried
it labels best; `ump bench labels` measures it, docs/decisions.md has the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from universal_memory.space.semantic_space import SemanticSpace

PROBES = {
    "where something is": (
        "The scissors are in the drawer.",
        "I found the charger behind the sofa.",
        "The ladder is in the hall.",
        "Anna put the blanket under the bed.",
        "Ben moved the tools to the shelf in the garage.",
        "The fern stands by the window.",
    ),
    "where somebody is or lives": (
        "Anna is at the window.",
        "Ben lives in Oslo.",
        "Clara's address is 12 Mill Lane.",
        "David was born in Spain.",
        "You can find Ella in the workshop.",
        "The home town of Frank is Lyon.",
    ),
    "what somebody likes": (
        "Anna likes her tea weak.",
        "Ben's favourite food is soup.",
        "Clara's favourite colour is green.",
        "David does not like onions.",
        "Ella loves to read The Silent River.",
        "Frank is happiest in the park.",
    ),
    "a time or a date": (
        "The meeting starts at 9:30.",
        "Anna's appointment is on Monday at four.",
        "The train to Bern leaves at noon.",
        "Ben wants to be woken at 6:15.",
        "The deadline is the third of May.",
        "The bins are collected on Friday morning.",
    ),
    "a code or a number": (
        "The code for the door is 4821.",
        "Ben's phone number is 555 0134.",
        "The wifi password of the guest network is maple77.",
        "The serial number of the mixer is KX-2093.",
        "Anna's locker is C14.",
        "The licence plate of Clara's car is BX 381.",
    ),
    "health": (
        "Anna is allergic to nuts.",
        "Ben takes aspirin for the headache.",
        "Clara's doctor is Dr. Moss.",
        "David suffers from back pain.",
        "Ella gets two drops of the medicine at night.",
        "Frank cannot eat milk, it makes him ill.",
    ),
    "a fault": (
        "The dishwasher in the kitchen is leaking.",
        "Anna's bicycle is broken.",
        "Ben said: the printer is jammed.",
        "The lamp does not work.",
        "Something is wrong with the heater: it is noisy.",
        "Clara's chair is wobbly.",
    ),
    "a reading of a tool": (
        "Tool read_sensor(place=cellar, kind=humidity) returned value=48.2.",
        "Tool weigh(object=bag) returned grams=310.",
        "Tool query(item=pump) returned pressure=2.4.",
        "Tool monitor(place=roof) returned wind=7.1.",
    ),
    "a tool that failed": (
        "Tool navigate_to(goal=hall) failed: error=blocked.",
        "Tool pick(object=cup) failed: error=slipped.",
        "Tool open(door=garage) failed: error=locked.",
        "Tool dock(station=left) failed: error=not found.",
    ),
    "a sign or a label in view": (
        "Sign reads: pharmacy, room 12.",
        "Sign reads: bakery open 8 to 6.",
        "Sign reads: box B27, lamps.",
        "Sign reads: museum closed.",
        "Sign reads: nails, shelf D4.",
    ),
    "things in view": (
        "Marker: desk. Camera sees: keys.",
        "Camera sees: person in coat holding a bag.",
        "Marker: shelf. Camera sees: cup and book.",
        "Camera sees: bicycle. Marker: gate.",
    ),
    "work": (
        "Anna works as a nurse.",
        "Ben works for Northwind.",
        "The manager at Acme is Clara.",
        "The project Falcon is led by David.",
        "Ella earns her living as a baker.",
        "The employer of Frank is Globex.",
    ),
    "family and pets": (
        "Anna's sister is called Ella.",
        "Ben's dog is called Rex.",
        "Clara's Tiger is a cat.",
        "David's aunt goes by the name of Mary.",
        "The name of Ella's brother is Tom.",
        "Frank has a parrot, its name is Coco.",
    ),
    "something to do": (
        "Ben said: remind me to call the bank.",
        "Anna has to water the plants.",
        "Clara said: tell David to buy milk.",
        "Tool send_message(to=Ben, text=feed the cat) returned state=sent.",
        "It is Ella's job to sweep the yard.",
    ),
    "a price": (
        "The lamp costs 20 euros.",
        "Clara pays 700 pounds a month for the flat.",
        "The price of the boots is 55 dollars.",
        "Anna owes Ben 5 dollars.",
    ),
}


@dataclass(frozen=True)
class Likeness:
    """A probe and how like it a memory is: mean cosine of slots, -1 to 1."""

    label: str
    text: str
    cosine: float


class Probes:
    """The probes, encoded once by the space whose memories are to be labelled."""

    def __init__(self, space: SemanticSpace) -> None:
        self._named = [(label, text) for label, texts in PROBES.items() for text in texts]
        self._slots = _directions(np.concatenate([space.encode([t]) for _, t in self._named]))

    def nearest(self, usv: NDArray[np.float32], count: int = 3) -> list[Likeness]:
        """The most like probes of one memory, float32 [16, 256], the nearest first."""
        slots = np.einsum("sw,ptw->pst", _directions(usv), self._slots)
        cosines = (slots.max(1).mean(1) + slots.max(2).mean(1)) / 2
        order = np.argsort(-cosines, kind="stable")[:count]
        return [
            Likeness(label, text, float(cosines[row]))
            for row in order
            for label, text in [self._named[row]]
        ]


def _directions(slots: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(slots / np.linalg.norm(slots, axis=-1, keepdims=True))
