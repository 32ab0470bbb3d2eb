"""Pets, plants and animals."""

from __future__ import annotations

from universal_memory.training.corpora.family import Family

FAMILIES = (
    Family(
        name="pet_name",
        slots={"person": "person", "pet": "pet", "name": "pet_name"},
        subject=("person", "pet"),
        answer="name",
        statements=(
            "{person:of} {pet} is called {name}.",
            "{person} has a {pet} named {name}.",
            "The name of {person:of} {pet} is {name}.",
            "{person} calls {person:her|his|their} {pet} {name}.",
            "{name} is {person:of} {pet}.",
        ),
        spoken=(
            "my {pet} is called {name}.",
            "{name} is my {pet}.",
            "I have a {pet} named {name}.",
        ),
        questions=(
            "What is {person:of} {pet} called?",
            "What is the name of {person:of} {pet}?",
            "How does {person} call {person:her|his|their} {pet}?",
            "Name of {person:of} {pet}?",
            "Which name does {person:of} {pet} have?",
        ),
    ),
    Family(
        name="pet_kind",
        slots={"name": "pet_name", "pet": "animal", "person": "person"},
        subject=("name", "person"),
        answer="pet",
        statements=(
            "{person:of} {name} is {pet:a}.",
            "{name}, who belongs to {person}, is {pet:a}.",
            "{person} has {pet:a} that listens to the name {name}.",
            "{name} is the {pet} of {person}.",
            "{person} bought {pet:a} and named it {name}.",
        ),
        questions=(
            "What kind of animal is {person:of} {name}?",
            "Which animal is {name} that belongs to {person}?",
            "What animal is {person:of} {name}?",
            "{person:of} {name} is what animal?",
            "What is {name}, the pet of {person}?",
        ),
    ),
    Family(
        name="pet_food",
        slots={"pet": "pet", "person": "person", "food": "food"},
        subject=("person", "pet"),
        answer="food",
        topic="pet_food",
        statements=(
            "{person:of} {pet} eats {food}.",
            "Feed {food} to {person:of} {pet}.",
            "{person:of} {pet} only likes {food}.",
            "{person} gives {person:her|his|their} {pet} {food}.",
            "The {pet} of {person} gets {food}.",
        ),
        spoken=("my {pet} eats {food}.", "please feed {food} to my {pet}."),
        questions=(
            "What does {person:of} {pet} eat?",
            "What do I feed {person:of} {pet}?",
            "What does {person} give {person:her|his|their} {pet}?",
            "What food does {person:of} {pet} like?",
            "Food of {person:of} {pet}?",
        ),
    ),
    Family(
        name="plant_water",
        slots={"plant": "plant", "spot": "room", "amount": "duration", "person": "person"},
        subject=("plant", "spot"),
        answer="amount",
        statements=(
            "The {plant} in the {spot} needs water every {amount}.",
            "Water the {plant} in the {spot} every {amount}.",
            "Every {amount} the {plant} in the {spot} gets water.",
            "{person} waters the {plant} in the {spot} every {amount}.",
            "The {plant} in the {spot} must be watered every {amount}.",
        ),
        questions=(
            "How often does the {plant} in the {spot} need water?",
            "How often do we water the {plant} in the {spot}?",
            "How often must the {plant} in the {spot} be watered?",
            "The {plant} in the {spot} needs water how often?",
            "What is the watering interval of the {plant} in the {spot}?",
        ),
    ),
    Family(
        name="plant_place",
        topic="where",
        slots={"plant": "plant", "spot": "spot", "person": "person"},
        subject=("plant",),
        answer="spot",
        statements=(
            "The {plant} stands by the {spot}.",
            "{person} planted the {plant} near the {spot}.",
            "The {plant} grows beside the {spot}.",
            "We moved the {plant} to the {spot}.",
            "The {plant} should stay close to the {spot}.",
        ),
        questions=(
            "Where is the {plant}?",
            "Where does the {plant} stand?",
            "Where did we put the {plant}?",
            "Where does the {plant} grow?",
            "Near what is the {plant}?",
        ),
    ),
    Family(
        name="animal_seen",
        slots={"person": "person", "animal": "animal", "place": "public_place"},
        subject=("place",),
        answer="animal",
        topic="animal_seen",
        statements=(
            "{person} saw {animal:a} at the {place}.",
            "At the {place} there was {animal:a}.",
            "{person} found {animal:a} behind the {place}.",
            "{animal:a} was running around the {place}.",
            "The animal at the {place} was {animal:a}.",
        ),
        questions=(
            "Which animal was seen at the {place}?",
            "What animal was at the {place}?",
            "Which animal was there at the {place}?",
            "What was the animal at the {place}?",
            "Animal at the {place}?",
        ),
    ),
)
