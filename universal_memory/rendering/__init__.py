"""Universal Semantic Vectors to low-rank weights of one architecture, and back off again."""
