"""Renderer packages: a renderer with its manifest, checked before anything of it is loaded."""
