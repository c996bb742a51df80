"""A variational autoencoder for tables as a scikit-learn transformer."""

from typing import TYPE_CHECKING

from skvae._version import __version__

if TYPE_CHECKING:
    from skvae._vae import VAETransformer

__all__ = ["VAETransformer", "__version__"]


def __getattr__(name):
    # The estimator imports torch, which takes seconds; a mistyped option of the command
    # is told before that.
    if name == "VAETransformer":
        from skvae._vae import VAETransformer

        return VAETransformer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
