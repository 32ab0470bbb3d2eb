"""Tokenizers: raw input (images, sound, tool calls) in, events out."""
