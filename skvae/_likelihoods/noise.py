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
    share : Tensor of shape (d,)
        Share of each of the network's columns that is observed.
    hidden_share : float, default=0.0
        Share of what is observed that training hides.
    units : Tensor of shape (n_numeric,) or float, default=1.0
        That columns are multiplied by where a shared variance is equal.
    """

    def __init__(
        self, likelihood, *, floor, shared, within, share, hidden_share=0.0, units=1.0
    ):
        self.likelihood, self.variance = likelihood, likelihood.variance
        self.floor, self.shared, self.within = floor, shared, within
        self.share, self.hidden_share = share, hidden_share
        like = {"dtype": self.variance.dtype, "device": self.variance.device}
        self.units = torch.as_tensor(units, **like)
        self._weights = self.units**2
        self._seen_share = share * (1 - hidden_share)
        self._n_numeric = len(self.variance)
        self._mean = self.variance.new_empty(())
        self._column = self.variance.new_tensor(1 / max(self._n_numeric, 1))

    @property
    def sizes(self):
        """Number of the network's columns that each column of the table has."""
        return self.likelihood.sizes

    def backward(self, x, decoded, weight, out):
        """Write the gradient by `decoded`; return the mean errors of what is seen."""
        error = self.likelihood.backward(x, decoded, weight, out)
        return error.div_(self._seen_share) if self.likelihood.incomplete else error

    def errors(self, x, decoded):
        """Return the error of each entry, NaN where it is missing."""
        return self.likelihood.errors(x, decoded)

    def expected_log_prob(self, error):  # (d,) -> ()
        """Return the mean log-density of a row, from its columns' mean errors."""
        numeric, others = self._split(error)
        error = torch.cat([numeric + self.within, others])
        return self.likelihood.expected_log_prob(error, self.share)

    def refit(self, error):  # (d,) -> Tracked
        """Return this with the variance that fits mean errors best."""
        error = self._split(error)[0] + self.within
        if self.shared and len(error):
            error = (self._mean_of(error) / self._weights).expand_as(error)
        return self._with(error.maximum(self.floor))

    def with_known(self, error, unseen):  # (d,), (d,) -> (d,)
        """Return mean errors that leave the variance of unseen columns as it is."""
        known = error.clone()
        known[: self._n_numeric] = (self.variance - self.within).to(error)
        return torch.where(unseen, known, error)

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
            share=self.share.to(device),
            hidden_share=self.hidden_share,
            units=self.units.to(device),
        )

    def track(self, error, weight):
        """Move the variance towards that of a batch, `error`, which is overwritten."""
        error = self._split(error)[0].add_(self.within)
        if self.shared and self.likelihood.incomplete:
            error.copy_(self._mean_of(error)).div_(self._weights)
        elif self.shared:
            error.mul_(self._weights)
            error.copy_(torch.sum(error, 0, out=self._mean).mul_(self._column))
            error.div_(self._weights)
        self.variance.lerp_(error.clamp_(min=self.floor), weight)

    def _split(self, error):
        return error[: self._n_numeric], error[self._n_numeric :]

    def _mean_of(self, error):
        """Return the mean error of all entries that are observed, in their units."""
        share = self.share[: self._n_numeric]
        return (error * self._weights * share).sum() / share.sum()

    def _with(self, variance):
        return Tracked(
            self.likelihood.with_noise(variance),
            floor=self.floor,
            shared=self.shared,
            within=self.within,
            share=self.share,
            hidden_share=self.hidden_share,
            units=self.units,
        )
