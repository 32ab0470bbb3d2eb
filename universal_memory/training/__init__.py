"""Training: corpora, the loops of space, renderer and router, and evaluation."""
