"""The Shared Semantic Space: the frozen text tower and the Universal Encoder that define it."""
