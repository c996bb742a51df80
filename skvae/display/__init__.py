"""Displays of a fitted transformer, drawn with matplotlib."""

from skvae.display.embedding import EmbeddingDisplay
from skvae.display.reconstruction import ReconstructionDisplay

__all__ = ["EmbeddingDisplay", "ReconstructionDisplay"]
