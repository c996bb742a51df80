"""How many components: the fewest that give back a share of the variance."""

import numpy as np

from skvae._fitting.comparison import SUMMARY_ROWS
from skvae._linear.closed_form import principal_axes
from skvae._linear.moments import observed_mean, scatter
from skvae._linear.readout import fit_readout
from skvae._model.bounds import kl_divergence
from skvae._numerics.chunks import map_chunks

EXPECTED_RATIO = 0.4  # of PCA's residual, that a network leaves with as many components
LEAST_LEFT = 1e-12  # of the variance
MOST_VALIDATION = 5_000  # rows that are reconstructed
# Rows of the read-outs of some of the components: of all numbers of them, of each.
READOUT_ROWS, LEAST_READOUT_ROWS = 8_000, 500


class Search:
    """Looks for the fewest components that explain a share, in few fits.

    What PCA leaves of the variance is known for every number of components. A network
    leaves a fraction of that, which changes slowly with their number: 1 where there are
    none, and between two fits by interpolation of logarithms. So after a fit or two the
    next number tried is the answer or beside it.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    of_pca : ndarray of shape (most,)
        The shares that PCA explains, by number of components.
    expected_ratio : float
        Of what PCA leaves, expected to be left where PCA explains the share.
    """

    def __init__(self, share, of_pca, expected_ratio=EXPECTED_RATIO):
        self._share, self._most = share, len(of_pca)
        self._left_by_pca = np.maximum(1 - of_pca, LEAST_LEFT)
        self._explained = {}  # by those tried
        self._short, self._enough = 0, _first(of_pca >= share)
        self._expected = self._enough, np.log(expected_ratio)

    def next(self):
        """Return the number of components to try next, None once the answer is known.

        Returns
        -------
        int or None
        """
        short, enough = self._short, self._enough
        if enough in self._explained and enough - short <= 1:
            return None
        left = self._left_by_pca * np.exp(self._log_ratios())
        guess = _first(left <= 1 - self._share)
        most = enough - (enough in self._explained)  # one that was not tried
        return min(max(guess, short + 1), most)

    def note(self, k, explained):
        """Take note of the share that `k` components explain."""
        self._explained[k] = explained
        if explained >= self._share or k == self._most:
            self._enough = k
            return
        self._short = k
        if k >= self._enough:  # noise by column, or `beta`, may aim at other things
            self._enough = min(k + k // 2 + 1, self._most)

    @property
    def found(self):
        """The fewest that explained the share, or those that explained most of it."""
        enough = [k for k, x in self._explained.items() if x >= self._share]
        if enough:
            return min(enough)
        return max(self._explained, key=lambda k: self._explained[k])

    def _log_ratios(self):
        """Return the expected logarithm of the ratio, by number of components."""
        known = {
            k: np.log(max(1 - x, LEAST_LEFT) / self._left_by_pca[k - 1])
            for k, x in sorted(self._explained.items())
        }
        if not known:
            known = dict([self._expected])
        at, ratios = np.log1p(list(known)), list(known.values())
        every = np.log1p(np.arange(1, self._most + 1))
        drawn_to_1 = np.interp(every, [0, *at], [0, *ratios])
        if not self._explained:
            return drawn_to_1
        # Below all that were tried it is between these two.
        return (drawn_to_1 + np.interp(every, at, ratios)) / 2


def explained_by_pca(training, validation, units=1.0):  # -> (min(n, d),)
    """Return the shares of the validation rows' variance that PCA explains.

    By number of components; what is missing counts as the mean. Columns count in some
    units.
    """
    validation = validation[:MOST_VALIDATION]
    training, validation = (
        (x.double() * units).nan_to_num(0.0) for x in (training, validation)
    )
    center = observed_mean(training)
    directions = principal_axes(scatter(training, center, len(training)))[1]
    centred = validation - center
    explained = (centred @ directions.T).square().sum(dim=0).cumsum(dim=0).numpy()
    return _share(_sum_of_squares(centred) - explained, centred, validation)


def explained_by(part, training, validation, counts, units=1.0):  # -> (len(counts),)
    """Return the shares of the validation rows' variance that components explain.

    Those of the first few, ordered by the nats that they carry: the others are held at
    their means, and a read-out is fitted to training rows, as for all of them.

    Parameters
    ----------
    part : Part
        Encodes and decodes.
    training, validation : Tensor
        Rows.
    counts : sequence of int
        How many components.
    units : Tensor of shape (d,) or float, default=1.0
        In which columns count.

    Returns
    -------
    ndarray
    """
    k = part.coder.n_components
    training = training[:SUMMARY_ROWS].double()
    validation = validation[:MOST_VALIDATION].double()
    z, log_var = map_chunks(part.coder.encode, training)
    new_z, _ = map_chunks(part.coder.encode, validation)
    center = z.mean(dim=0)
    order = kl_divergence(z, log_var).mean(dim=0).argsort(descending=True, stable=True)
    deviations = (validation - observed_mean(training)) * units

    def explained(n):
        first = order[:n]
        n_rows = len(z) if n == k else max(READOUT_ROWS // k, LEAST_READOUT_ROWS)
        seen_z, seen = z[:n_rows], training[:n_rows]

        def decode(z):
            held = center.expand_as(z).clone()
            held[:, first] = z[:, first]
            return (part.mean(held),)

        (decoded,), (new_decoded,) = (
            map_chunks(decode, seen_z),
            map_chunks(decode, new_z),
        )
        readout = fit_readout(seen_z[:, first], seen - decoded)
        left = validation - new_decoded - readout[0] - new_z[:, first] @ readout[1:]
        return _share(_sum_of_squares(left * units), deviations, validation * units)

    return np.array([explained(n) for n in counts])


def _first(is_enough):
    return int(np.argmax(is_enough)) + 1 if is_enough.any() else len(is_enough)


def _sum_of_squares(x):
    return float(x.nan_to_num(0.0).square().sum())


def _share(left, deviations, x):
    """Where rows vary by no more than rounding, nothing is left to explain."""
    total = _sum_of_squares(deviations)
    if total <= LEAST_LEFT * _sum_of_squares(x):
        return np.ones_like(left)
    return 1 - left / total
