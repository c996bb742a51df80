"""Warnings that point at the line of the user's code that led to them."""

import sys
import warnings

# Code between the user's line and ours: that of searches, pipelines, wrappers of
# outputs, caches, and readers of files.
BETWEEN = {"skvae", "sklearn", "joblib", "skops", "pickle", "copy"}


def warn(message, category=UserWarning):
    """Warn, pointing at the nearest line outside of skvae and what calls it.

    Parameters
    ----------
    message : str or Warning
    category : type, default=UserWarning
        Of the warning, if `message` is a str.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back and _library(frame) in BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _library(frame):
    return frame.f_globals.get("__name__", "").split(".")[0]
