"""A variational autoencoder for tables as a scikit-learn transformer."""

from skvae._vae import VAETransformer
from skvae._version import __version__

__all__ = ["VAETransformer", "__version__"]
