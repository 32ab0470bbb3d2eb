"""Evaluation: recall from memory beside its controls, on the same questions (design, section 8)."""
