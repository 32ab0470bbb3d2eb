"""A few facts that trained parts must know: what was said by what is asked, and the answer."""

FACTS = {
    "Where does Anna keep the spare key?": ("Anna keeps the spare key in the drawer.", "drawer"),
    "What is Ben allergic to?": ("Ben said: I am allergic to peanuts.", "peanuts"),
    "What colour is the ladder?": ("The ladder is green.", "green"),
    "In which room is the pharmacy?": ("Sign reads: pharmacy room 12.", "12"),
    "Who waters the plants?": ("Clara waters the plants.", "Clara"),
}
