"""Who "I", "my", "you" and "your" are in what somebody says to somebody."""

from __future__ import annotations

from universal_memory.training.corpora.family import Family


def _said(
    name: str,
    slots: dict[str, str],
    subject: tuple[str, ...],
    answer: str,
    statements: tuple[str, ...],
    questions: tuple[str, ...],
    topic: str = "",
) -> Family:
    """A family of transcripts; `speaker` says it, `other` is spoken to."""
    people = {"speaker": "first_name", **slots}
    said = tuple(f"{{speaker}} said: {statement}" for statement in statements)
    return Family(
        name, people, subject, answer, said, questions,
        form="transcript", topic=topic, genre="living",
    )  # fmt: skip


FAMILIES = (
    _said(
        "speaker_thing_place",
        {"object": "object", "place": "place"},
        ("speaker", "object"),
        "place",
        (
            "my {object} {object:is|are} {place}.",
            "I left my {object} {place}.",
            "I put my {object} {place}.",
            "you will find my {object} {place}.",
            "my {object} should be {place}, I think.",
        ),
        (
            "Where {object:is|are} {speaker:of} {object}?",
            "Where did {speaker} put {speaker:of} {object}?",
            "Where did {speaker} leave {speaker:of} {object}?",
            "Where can I find {speaker:of} {object}?",
            "Do you know where {speaker:of} {object} {object:is|are}?",
        ),
    ),
    _said(
        "your_thing_place",
        {"other": "first_name", "object": "object", "place": "place"},
        ("other", "object"),
        "place",
        (
            "{other}, your {object} {object:is|are} {place}.",
            "{other}, I put your {object} {place}.",
            "I found your {object}, {other}, {object:it is|they are} {place}.",
            "your {object} {object:is|are} {place}, {other}.",
            "{other}, you left your {object} {place}.",
        ),
        (
            "Where {object:is|are} {other:of} {object}?",
            "Where can {other} find {other:of} {object}?",
            "Where did {other} leave {other:of} {object}?",
            "{other:of} {object} {object:is|are} where?",
            "Do you know where {other:of} {object} {object:is|are}?",
        ),
    ),
    _said(
        "your_appointment",
        {"other": "first_name", "event": "event", "time": "day_time"},
        ("other", "event"),
        "time",
        (
            "{other}, your {event} is {time}.",
            "{other}, do not forget your {event}, it is {time}.",
            "your {event} was moved to {time}, {other}.",
            "{other}, I booked your {event} for {time}.",
            "{other}, you have your {event} {time}.",
        ),
        (
            "When is {other:of} {event}?",
            "When does {other} have {other:of} {event}?",
            "What time is {other:of} {event}?",
            "{other:of} {event} is when?",
            "For when was {other:of} {event} booked?",
        ),
    ),
    _said(
        "asked_of_you",
        {"other": "first_name", "task": "task"},
        ("speaker", "other"),
        "task",
        (
            "{other}, can you {task}?",
            "{other}, would you please {task}?",
            "could you {task}, {other}?",
            "{other}, you have to {task} for me.",
            "I would like you to {task}, {other}.",
        ),
        (
            "What should {other} do for {speaker}?",
            "What does {speaker} ask of {other}?",
            "What does {speaker} want {other} to do?",
            "What was {other} asked to do by {speaker}?",
            "What did {speaker} want from {other}?",
        ),
        topic="duty",
    ),
    _said(
        "i_will",
        {"task": "task", "time": "time"},
        ("speaker", "task"),
        "time",
        (
            "I will {task} at {time}.",
            "I am going to {task} at {time}.",
            "at {time} I will {task}.",
            "I can {task} at {time}.",
            "let me {task} at {time}.",
        ),
        (
            "When will {speaker} {task}?",
            "At what time does {speaker} {task}?",
            "When is {speaker} going to {task}?",
            "When does {speaker} want to {task}?",
            "What time will {speaker} {task}?",
        ),
        topic="reminder",
    ),
    _said(
        "lent_my",
        {"other": "first_name", "object": "object"},
        ("speaker", "object"),
        "other",
        (
            "I lent my {object} to {other}.",
            "{other} has my {object}.",
            "{other} took my {object}.",
            "I gave {other} my {object} for a while.",
            "my {object} {object:is|are} with {other}.",
        ),
        (
            "Who has {speaker:of} {object}?",
            "Who took {speaker:of} {object}?",
            "To whom did {speaker} lend {speaker:of} {object}?",
            "With whom {object:is|are} {speaker:of} {object}?",
            "Who got {speaker:of} {object}?",
        ),
    ),
    _said(
        "my_relative",
        {"kin": "kin", "name": "first_name"},
        ("speaker", "kin"),
        "name",
        (
            "my {kin} is called {name}.",
            "this is my {kin} {name}.",
            "{name} is my {kin}.",
            "have you met {name}, my {kin}?",
            "my {kin} {name} is coming.",
        ),
        (
            "What is {speaker:of} {kin} called?",
            "Who is {speaker:of} {kin}?",
            "What is the name of {speaker:of} {kin}?",
            "{speaker:of} {kin} has which name?",
            "How is {speaker:of} {kin} called?",
        ),
        topic="kin",
    ),
    _said(
        "my_new",
        {"thing": "bare_object", "colour": "colour"},
        ("speaker", "thing"),
        "colour",
        (
            "my {thing} {thing:is|are} {colour}.",
            "I painted my {thing} {colour}.",
            "I have bought {colour} paint for my {thing}.",
            "do you like my {colour} {thing}?",
            "mine {thing:is|are} the {colour} {thing}.",
        ),
        (
            "What colour {thing:is|are} {speaker:of} {thing}?",
            "Which colour {thing:has|have} {speaker:of} {thing}?",
            "In which colour {thing:is|are} {speaker:of} {thing}?",
            "What is the colour of {speaker:of} {thing}?",
            "{speaker:of} {thing} {thing:is|are} of which colour?",
        ),
        topic="colour",
    ),
    _said(
        "your_robot_thing",
        {"object": "object", "place": "place"},
        ("object",),
        "place",
        (
            "I put your {object} {place}.",
            "robot, your {object} {object:is|are} {place}.",
            "your {object} {object:is|are} {place} now.",
            "you find your {object} {place}.",
            "from today on your {object} {object:is|are} {place}.",
        ),
        (
            "Where {object:is|are} your {object}?",
            "Where do you find your {object}?",
            "Where did they put your {object}?",
            "Your {object} {object:is|are} where?",
            "Where do you have to look for your {object}?",
        ),
        topic="where",
    ),
    _said(
        "we_go",
        {"other": "first_name", "city": "city"},
        ("speaker", "other"),
        "city",
        (
            "{other} and I are going to {city}.",
            "I will go to {city} with {other}.",
            "{other}, you and I are going to {city}.",
            "{other} is taking me to {city}.",
            "{other} and I have tickets to {city}.",
        ),
        (
            "Where are {speaker} and {other} going?",
            "Where will {speaker} go with {other}?",
            "To which city are {speaker} and {other} going?",
            "Where is {speaker} going with {other}?",
            "Where do {other} and {speaker} go?",
        ),
    ),
)
