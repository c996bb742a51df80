"""A variational autoencoder for tables as a scikit-learn transformer."""

from skvae._cleaning.cleaner import TableCleaner
from skvae._cleaning.reading import read_table
from skvae._vae import VAETransformer
from skvae._version import __version__

__all__ = ["TableCleaner", "VAETransformer", "__version__", "read_table"]
