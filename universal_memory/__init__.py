"""Universal Memory: compiled experience that a robot's language model knows instead of re-reads."""

__version__ = "0.1.0"
