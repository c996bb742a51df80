"""The fitted prior of z: a mixture of normals, where the rows' posteriors are.

The posteriors of all rows together never quite make up N(0, I). A density that is
fitted to them after training draws better rows and bounds log p(x) more tightly
(two-stage VAE: Dai & Wipf 2019; ex-post density estimation: Ghosh et al. 2020).

scikit-learn's GaussianMixture would fit it, but its last digits depend on the number of
BLAS threads, which can only be limited for the whole process.
"""

from math import inf, log, pi

import torch
from torch.nn.functional import one_hot

from skvae._model.bounds import standard_normal
from skvae._numerics.draws import spread_normal

SIZES = 1, 2, 4, 8, 16, 32
PATIENCE = 2  # sizes without an improvement after which no larger one is tried
MOST_COVARIANCES = 20_000  # entries, that larger mixtures may not have
PSEUDO_ROWS = 2.0, 0.25  # a component, and a dimension: the larger counts
FAR_SHARE = 0.01  # weight of N(0, I)
RIDGE = 1e-6
CANDIDATES = 4  # of which the best becomes a seed
EM_STEPS, EM_TOL = 20, 1e-2


class StandardNormal:
    """N(0, I): the prior of training, and of a linear model."""

    is_fitted = False

    def __init__(self, n_components):
        self._n_components = n_components

    def log_prob(self, z):  # (n, k) -> (n,)
        """Log-density of each row, in nats."""
        return standard_normal(z)

    def sample(self, n, generator):  # -> (n, k)
        """Draw rows."""
        like = {"generator": generator, "dtype": torch.float64, "device": "cpu"}
        return torch.randn(n, self._n_components, **like)

    def spread(self, n):  # -> (n, k)
        """Return fixed rows, spread evenly."""
        return spread_normal(n, self._n_components)

    def arguments(self):
        """Return nothing: it is known without."""
        return ()


class NormalMixture:
    """A mixture of normals.

    Parameters
    ----------
    weights : Tensor of shape (m,)
    means : Tensor of shape (m, k)
    covariances : Tensor of shape (m, k, k)
    """

    is_fitted = True

    def __init__(self, weights, means, covariances):
        self.weights, self.means, self.covariances = weights, means, covariances
        self.factors = torch.linalg.cholesky(covariances)
        eye = _eye(means).expand_as(covariances)
        inverse = torch.linalg.solve_triangular(self.factors, eye, upper=False)
        self._whiten = inverse.flatten(0, 1)  # (m * k, k)
        self._centre = (inverse @ means[:, :, None]).flatten(0, 1)  # (m * k, 1)
        log_det = self.factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        constant = 0.5 * means.shape[1] * log(2 * pi)
        self._log_height = (weights.log() - log_det - constant)[:, None]

    def arguments(self):
        """Return what makes the same mixture, as arrays."""
        return tuple(
            part.numpy() for part in (self.weights, self.means, self.covariances)
        )

    def log_joint(self, z):  # (n, k) -> (m, n)
        """Log-density of each component and row, in nats.

        Sums over what is not last are several times as fast.
        """
        whitened = torch.addmm(-self._centre, self._whiten, z.T)
        squares = whitened.square_().view(*self.means.shape, len(z)).sum(dim=1)
        return torch.add(self._log_height, squares, alpha=-0.5)

    def log_prob(self, z):  # (n, k) -> (n,)
        """Log-density of each row, in nats."""
        return torch.logsumexp(self.log_joint(z), dim=0)

    def sample(self, n, generator):  # -> (n, k)
        """Draw rows."""
        like = {"generator": generator, "dtype": self.means.dtype, "device": "cpu"}
        share = torch.rand(n, **like)
        return self._place(share, torch.randn(n, self.means.shape[1], **like))

    def spread(self, n):  # -> (n, k)
        """Return fixed rows, spread evenly."""
        draws = spread_normal(n, self.means.shape[1] + 1)
        return self._place(torch.special.ndtr(draws[:, 0]), draws[:, 1:])

    def _place(self, share, noise):  # (n,), (n, k) -> (n, k)
        """Return the rows that uniform and normal numbers stand for."""
        component = torch.searchsorted(self.weights.cumsum(dim=0)[:-1], share)
        step = (self.factors[component] * noise[:, None, :]).sum(dim=2)
        return self.means[component] + step


def fit_mixture(z, size, generator):
    """Fit a mixture to rows by expectation-maximisation, from k-means++ seeds.

    It is the posterior mode under a prior worth `PSEUDO_ROWS` rows a component (as of
    Fraley & Raftery 2007), as spread out as all rows divided among them, by which one
    of few rows is neither a point nor a line. And N(0, I) is mixed in, for rows that
    are far from all others.

    Parameters
    ----------
    z : Tensor of shape (n, k)
    size : int
        Number of components beside N(0, I).
    generator : torch.Generator

    Returns
    -------
    NormalMixture
    """
    n, k = z.shape
    centred = z - z.mean(dim=0)
    spread = centred.T @ centred / n / size ** (2 / k)
    pseudo_rows = max(PSEUDO_ROWS[0], k * PSEUDO_ROWS[1])
    ridge = RIDGE * _eye(z)
    nearest = torch.cdist(z, _distant_rows(z, size, generator)).argmin(dim=1)
    share, score = one_hot(nearest, size).T.to(z.dtype), -inf  # (m, n)
    for _ in range(EM_STEPS):
        count = share.sum(dim=1)[:, None]
        means = share @ z / count.clamp(min=RIDGE)
        shares_of_z = (share[:, None] * z.T).flatten(0, 1)  # (m * k, n)
        scatter = (shares_of_z @ z).reshape(size, k, k)
        scatter -= count[:, :, None] * means[:, :, None] * means[:, None, :]
        weight = (count + pseudo_rows)[:, :, None]
        covariances = (scatter + pseudo_rows * spread) / weight + ridge
        weights = (count.squeeze(1) + 1) / (n + size)
        mixture = NormalMixture(weights, means, covariances)
        log_joint = mixture.log_joint(z)
        most = log_joint.amax(dim=0)
        share = log_joint.sub_(most).exp_()
        total, before = share.sum(dim=0), score
        share /= total
        score = float((most + total.log()).mean())
        if score < before + EM_TOL:
            break
    return _with_standard_normal(weights, means, covariances)


def likeliest_mixture(z, validation, generator):
    """Fit mixtures of more and more components; return the one that suits other rows.

    Parameters
    ----------
    z : Tensor of shape (n, k)
    validation : Tensor of shape (n_validation, k)
    generator : torch.Generator

    Returns
    -------
    NormalMixture
    """
    best, best_score, n_worse = None, -inf, 0
    for size in SIZES:
        too_large = size * z.shape[1] ** 2 > MOST_COVARIANCES or 2 * size > len(z)
        if n_worse == PATIENCE or (best and too_large):
            break
        mixture = fit_mixture(z, size, generator)
        score = float(mixture.log_prob(validation).mean())
        if score > best_score:
            best, best_score, n_worse = mixture, score, 0
        else:
            n_worse += 1
    return best


def _distant_rows(z, size, generator):
    """Return rows far from each other: greedy k-means++ (Arthur & Vassilvitskii 2007).

    Each is the one of a few candidates that leaves the least squared distance.
    """
    first = torch.randint(len(z), (1,), generator=generator, device=z.device)
    chosen, distance = [first], (z - z[first]).square().sum(dim=1)
    for _ in range(size - 1):
        # Where fewer rows differ than are asked for, any will do.
        rows = torch.multinomial(
            distance + RIDGE**2, CANDIDATES, True, generator=generator
        )
        distances = torch.cdist(z[rows], z).square().minimum(distance)
        best = distances.sum(dim=1).argmin()
        chosen.append(rows[best, None])
        distance = distances[best]
    return z[torch.cat(chosen)]


def _with_standard_normal(weights, means, covariances):
    return NormalMixture(
        torch.cat([(1 - FAR_SHARE) * weights, weights.new_tensor([FAR_SHARE])]),
        torch.cat([means, torch.zeros_like(means[:1])]),
        torch.cat([covariances, _eye(means)[None]]),
    )


def _eye(rows):
    return torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
