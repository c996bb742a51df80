"""The command ``python -m skvae``."""
