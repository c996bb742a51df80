"""A variational autoencoder for tables as a scikit-learn transformer."""

from importlib import import_module
from typing import TYPE_CHECKING

from skvae._version import __version__

if TYPE_CHECKING:
    from skvae._cleaning.cleaner import TableCleaner
    from skvae._cleaning.reading import read_table
    from skvae._detector import VAEOutlierDetector
    from skvae._imputer import VAEImputer
    from skvae._vae import VAETransformer

__all__ = [
    "TableCleaner",
    "VAEImputer",
    "VAEOutlierDetector",
    "VAETransformer",
    "__version__",
    "read_table",
]

_HOMES = {
    "TableCleaner": "skvae._cleaning.cleaner",
    "VAEImputer": "skvae._imputer",
    "VAEOutlierDetector": "skvae._detector",
    "VAETransformer": "skvae._vae",
    "read_table": "skvae._cleaning.reading",
}


def __getattr__(name):
    # The estimator imports torch, which takes seconds; a mistyped option of the command
    # is told before that.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
