"""A user's table as rows of floats, and back. It knows no torch."""
