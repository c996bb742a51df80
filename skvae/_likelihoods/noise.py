"""The noise of a likelihood while training: it follows the errors, above a floor.

A gradient moves a variance far too slowly where columns are near duplicates, so that it
has its closed form, the mean squared error.
"""

import torch


class Tracked:
    """A likelihood whose noise variance follows the errors of what is trained.

    Parameters
    ----------
    likelihood : Gaussian or Mixed
        Its variance is moved where it stands.
    floor : Tensor of shape (n_numeric,)
        The least variance.
    shared : bool
        Whether all numeric columns have one variance.
    within : Tensor of shape (n_numeric,)
        Added to mean squared errors: how far what an entry stands for is from it.
    share : Tensor of shape (n_numeric,), optional
        Share of each column's entries that are observed, if some are missing.
    """

    def __init__(self, likelihood, *, floor, shared, within, share=None):
        self.likelihood, self.variance = likelihood, likelihood.variance
        self.floor, self.shared, self.within = floor, shared, within
        self.share = share
        self._n_numeric = len(self.variance)
        self._mean = self.variance.new_empty(())
        self._column = self.variance.new_tensor(1 / max(self._n_numeric, 1))

    @property
    def sizes(self):
        """Number of the network's columns that each column of the table has."""
        return self.likelihood.sizes

    def backward(self, x, decoded, weight, out):
        """Write the gradient by `decoded`; return the mean errors."""
        return self.likelihood.backward(x, decoded, weight, out)

    def errors(self, x, decoded):
        """Return the error of each entry, NaN where it is missing."""
        return self.likelihood.errors(x, decoded)

    def expected_log_prob(self, error):  # (d,) -> ()
        """Return the mean log-density of a row, from its columns' mean errors."""
        numeric, others = self._split(error)
        return self.likelihood.expected_log_prob(
            torch.cat([numeric + self.within, others])
        )

    def refit(self, error):  # (d,) -> Tracked
        """Return this with the variance that fits mean errors best."""
        error = self._split(error)[0] + self.within
        if self.shared and len(error):
            error = self._mean_of(error).expand_as(error)
        return self._with(error.maximum(self.floor))

    def clone(self):
        """Return a copy that later tracking leaves alone."""
        return self._with(self.variance.clone())

    def to(self, device):
        """Return this on another device."""
        return Tracked(
            self.likelihood.to(device),
            floor=self.floor.to(device),
            shared=self.shared,
            within=self.within.to(device),
            share=None if self.share is None else self.share.to(device),
        )

    def track(self, error, weight):
        """Move the variance towards that of a batch, `error`, which is overwritten."""
        error = self._split(error)[0].add_(self.within)
        if self.share is not None and self.shared:
            error.copy_(self._mean_of(error))
        elif self.shared:
            error.copy_(torch.sum(error, 0, out=self._mean).mul_(self._column))
        self.variance.lerp_(error.clamp_(min=self.floor), weight)

    def _split(self, error):
        return error[: self._n_numeric], error[self._n_numeric :]

    def _mean_of(self, error):
        if self.share is None:
            return error.mean()
        return (error * self.share).sum() / self.share.sum()

    def _with(self, variance):
        return Tracked(
            self.likelihood.with_noise(variance),
            floor=self.floor,
            shared=self.shared,
            within=self.within,
            share=self.share,
        )
