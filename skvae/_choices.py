"""The words that parameters choose from; the command knows them before any library."""

NOISES = ("auto", "spherical", "diag")
SCALINGS = ("standard", "quantile", None)
