"""Pictures of a fitted transformer; they need matplotlib."""

from skvae.display.embedding import EmbeddingDisplay
from skvae.display.reconstruction import ReconstructionDisplay

__all__ = ["EmbeddingDisplay", "ReconstructionDisplay"]
