"""The kinds of columns, and any number of them side by side.

A kind of column is a class with the verbs of `Gaussian`: a new one is that class, its
row in `KINDS`, and its row in the table of `_table/indicators.py`.
"""

from typing import Any

import torch

from skvae._likelihoods.categorical import Bernoulli, Categorical
from skvae._likelihoods.dispersion import CONSTANT
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.ordinal import Ordinal

KINDS: dict[str, Any] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
    "ordinal": Ordinal,
}


class Mixed:
    """Blocks of columns side by side, independent given z.

    Parameters
    ----------
    blocks : sequence of Gaussian, Bernoulli, Categorical or Ordinal
        The numeric columns, if there are any, come first.
    widths : sequence of int
        Number of columns of each.
    """

    def __init__(self, blocks, widths):
        self.blocks, self.widths = list(blocks), list(widths)

    @property
    def variance(self):
        """Noise variance of the numeric columns."""
        return self.blocks[0].variance

    @property
    def incomplete(self):
        """Whether entries that train may be missing."""
        return self.blocks[0].incomplete

    @property
    def dispersion(self):
        """How the noise variance of the numeric columns varies with z."""
        return self.blocks[0].dispersion

    @property
    def sizes(self):
        """Number of the network's columns that each column of the table has."""
        return torch.cat([block.sizes for block in self.blocks])

    def with_noise(self, variance, dispersion=CONSTANT):
        """Return the same columns with other noise of the numeric ones."""
        first, *others = self.blocks
        return Mixed([first.with_noise(variance, dispersion), *others], self.widths)

    def to(self, device):
        """Return the blocks on another device."""
        return Mixed([block.to(device) for block in self.blocks], self.widths)

    def given(self, z):
        """Return the blocks at z."""
        return Mixed([block.given(z) for block in self.blocks], self.widths)

    def log_prob(self, observed, decoded):  # (n, d) or (n, 2, d), (..., n, d)
        """Return the log-density or log-mass of each entry in nats, 0 where missing."""
        return self._join("log_prob", self._split(observed), self._split(decoded))

    def log_prob_of_pairs(self, observed, decoded):  # (n, d) or (n, 2, d), (m, d)
        """Return the log-density of each row at each decoded row, (m, n)."""
        parts = zip(self.blocks, *map(self._split, (observed, decoded)), strict=True)
        return sum(block.log_prob_of_pairs(*of_block) for block, *of_block in parts)

    def quadratic(self, observed, decoded):  # (n, d) or (n, 2, d), (n, d)
        """Return the gradient and about minus the curvature; as of a Gaussian."""
        parts = zip(*map(self._split, (observed, decoded)), strict=True)
        blocks = zip(self.blocks, parts, strict=True)
        found = [block.quadratic(*of_block) for block, of_block in blocks]
        gradients, information = zip(*found, strict=True)
        return torch.cat(gradients, dim=-1), torch.cat(information, dim=-1)

    def errors(self, x, decoded):
        """Return the error of each entry, NaN where it is missing."""
        return self._join("errors", self._split(x), self._split(decoded))

    def backward(self, x, decoded, weight, out):
        """Write the gradient by `decoded`; return the weighted sums of errors."""
        parts = zip(*map(self._split, (x, decoded, out)), strict=True)
        errors = [
            block.backward(x, decoded, weight, out)
            for block, (x, decoded, out) in zip(self.blocks, parts, strict=True)
        ]
        return torch.cat(errors)

    def expected_log_prob(self, error, share):  # (d,), (d,) -> ()
        """Return the mean log-density of a row, from its columns' mean errors."""
        parts = zip(self.blocks, self._split(error), self._split(share), strict=True)
        return sum(block.expected_log_prob(*of_block) for block, *of_block in parts)

    def mean(self, decoded):
        """Return the mean of each entry."""
        return self._join("mean", self._split(decoded))

    def offset(self, decoded):
        """Return what to add to rows so that categories have their shares."""
        return self._join("offset", self._split(decoded))

    def sample(self, decoded, generator):
        """Draw each entry."""
        return self._join("sample", self._split(decoded), generator=generator)

    def _split(self, x):
        return x.split(self.widths, dim=-1)

    def _join(self, verb, *parts, **options):
        blocks = zip(self.blocks, *parts, strict=True)
        found = [
            getattr(block, verb)(*of_block, **options) for block, *of_block in blocks
        ]
        return torch.cat(found, dim=-1)


def indicator_blocks(layout, like):
    """Return the likelihoods of the blocks of indicators, in the dtype of a tensor."""
    blocks = (block for block in layout.blocks if block.kind != "gaussian")
    return [KINDS[block.kind].of_block(block, like) for block in blocks]


def make_likelihood(layout, variance, incomplete=False):
    """Return the likelihood of the network's columns.

    Parameters
    ----------
    layout : Layout
    variance : Tensor of shape (n_numeric,)
        Noise variance of the numeric columns.
    incomplete : bool, default=False
        Whether entries that train may be missing.

    Returns
    -------
    Gaussian, Bernoulli, Categorical or Mixed
    """
    blocks = [
        KINDS[block.kind].of_block(block, variance, incomplete)
        for block in layout.blocks
    ]
    return blocks[0] if len(blocks) == 1 else Mixed(blocks, layout.widths)
