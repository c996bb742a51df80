"""Stochastic t-SNE: places rows such that neighbours in the table stay neighbours.

The objective is t-SNE's (van der Maaten & Hinton 2008), the divergence of the shares q
of pairs of positions from the shares p of pairs of neighbours:

    sum_ij p_ij log(p_ij / q_ij),  q_ij = w_ij / sum_kl w_kl,  w_ij = 1 / (1 + d_ij^2)

where each of a row's neighbours has the same share. Its gradient has two terms:
neighbours attract each other, and all pairs repel each other. The second is estimated
from a sample of rows, which all rows of a step share: it is a product of small
matrices, in any number of dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log

import torch

START_SCALE = 1e-2
SAMPLE = 200  # rows that repel all others in a step
BLOCK_COLUMNS = 4096  # so many weights of a sample stay in the processor's cache
TRACKING = 0.1  # share of the way that the running sum of weights moves in a step
# Rates are shares of the number of rows, as gradients fall with it; of no more than
# 4,000, as the noise of samples grows with the rate.
MOST_RATE_ROWS = 4000
EARLY_STEPS, EARLY_RATE, EXAGGERATION = 50, 1 / 12, 4.0
RATE, MOMENTUM = 1 / 2, 0.8
MOST_PULL = 4.0  # of a row's neighbours, in means; with more its steps are shorter
# The rate begins to fall where the loss fell by less than this in so many steps.
TOLERANCE, WINDOW, LOSS_EVERY = 0.02, 50, 5
FALLING_SHARE, END_RATE = 0.4, 0.05  # of all steps, of the rate
MAX_STEPS = 1000
REFINING_STEPS = 100
LEAST_TOTAL = 1e-30  # where there are no pairs


@dataclass(frozen=True)
class Layout:
    """Where a layout put the rows, and how it went.

    Parameters
    ----------
    positions : Tensor of shape (n, k)
        In single precision, with mean 0.
    loss : float
        The divergence, as far as the last samples tell.
    n_steps : int
    stopped : str
        "converged", "max_epochs", "asked" or "interrupted".
    """

    positions: torch.Tensor
    loss: float
    n_steps: int
    stopped: str


def _silent(step, loss):
    return False


def lay_out(
    neighbors,
    start,
    generator,
    progress: Callable[[int, float], bool] = _silent,
    max_steps=MAX_STEPS,
):
    """Place rows such that neighbours are near each other.

    A KeyboardInterrupt ends it with what it has found so far.

    Parameters
    ----------
    neighbors : Tensor of shape (n, n_neighbors)
        Indices of each row's neighbours, not of itself.
    start : Tensor of shape (n, k)
        First positions, up to their scale.
    generator : torch.Generator
        Of the samples; not used where they are all rows.
    progress : callable
        Is told the step and the loss every few steps; returns whether to stop.
    max_steps : int

    Returns
    -------
    Layout
    """
    start = start - start.mean(dim=0)
    scale = start.square().mean(dim=0).amax().sqrt()
    start = start * (START_SCALE / scale.where(scale > 0, 1.0))
    return _descend(neighbors, start, generator, progress, _Schedule(max_steps))


def refine(neighbors, positions, generator, progress=_silent, n_steps=REFINING_STEPS):
    """Move rows a little that are nearly where they belong.

    Parameters
    ----------
    neighbors : Tensor of shape (n, n_neighbors)
    positions : Tensor of shape (n, k)
        In the layout's own scale.
    generator, progress
        As those of `lay_out`.
    n_steps : int

    Returns
    -------
    Layout
    """
    schedule = _FallingSchedule(n_steps)
    return _descend(neighbors, positions, generator, progress, schedule)


def _descend(neighbors, start, generator, progress, schedule):
    """Follow the gradient from the start as the schedule has it."""
    descent = _Descent(neighbors, start, generator)
    loss, step, stopped = inf, 0, ""
    try:
        while not stopped:
            with torch.inference_mode():
                descent.step(schedule.rate(step), schedule.exaggeration(step))
            step += 1
            if step % LOSS_EVERY == 0:
                loss = descent.loss()
                schedule.note(step, loss)
                stopped = "asked" if progress(step, loss) else ""
            stopped = stopped or schedule.reason_to_stop(step)
    except KeyboardInterrupt:
        stopped = "interrupted"
    return Layout(descent.positions, loss, step, stopped)


class _Descent:
    """Positions that follow the gradient, with momentum."""

    def __init__(self, neighbors, start, generator):
        self._y = start.float().T.contiguous()  # (k, n): products are faster so
        self._velocity = torch.zeros_like(self._y)
        pairs = Pairs.of(neighbors)
        self._attraction = Attraction(pairs, len(start))
        self._repulsion = Repulsion(len(start), generator)
        shortened = (pairs.pull(len(start)) / MOST_PULL).clamp(min=1)
        self._rate = (min(len(start), MOST_RATE_ROWS) / shortened).float()

    @property
    def positions(self):
        """Where the rows are, (n, k)."""
        return self._y.T.contiguous()

    def step(self, rate, exaggeration):
        """Move all rows, and their mean back to 0."""
        gradient = self._attraction.gradient(self._y).mul_(exaggeration)
        gradient.sub_(self._repulsion.gradient(self._y))
        self._velocity.mul_(MOMENTUM).addcmul_(gradient, self._rate, value=-rate)
        self._y.add_(self._velocity)
        self._y.sub_(self._y.mean(dim=1, keepdim=True))

    def loss(self):
        """Return the divergence where the last step began."""
        return self._attraction.loss() + self._repulsion.loss()


class _Schedule:
    """How fast rows move, and when they stop: soon after the loss hardly falls."""

    def __init__(self, max_steps):
        self._max_steps, self._is_converged = max_steps, False
        self._early = min(EARLY_STEPS, max_steps // 4)
        self._fall = round(max_steps * (1 - FALLING_SHARE))
        self._losses, self._before = [], inf

    @property
    def _end(self):
        return min(round(self._fall / (1 - FALLING_SHARE)), self._max_steps)

    def rate(self, step):
        """Return the rate of a step, counted from 0."""
        if step < self._early:
            return EARLY_RATE
        fallen = max(step - self._fall, 0) / max(self._end - self._fall, 1)
        return RATE * (1 - fallen * (1 - END_RATE))

    def exaggeration(self, step):
        """Return by how much neighbours attract more at first, to find each other."""
        return EXAGGERATION if step < self._early else 1.0

    def note(self, step, loss):
        """Take note of the loss after so many steps; see whether it still falls."""
        if step <= self._early or step >= self._fall:
            return
        self._losses.append(loss)
        if len(self._losses) * LOSS_EVERY == WINDOW:
            mean = sum(self._losses) / len(self._losses)
            if mean > self._before - TOLERANCE:
                self._is_converged, self._fall = True, step
            self._losses, self._before = [], mean

    def reason_to_stop(self, step):
        """Return "converged" or "max_epochs" after the last step, else nothing."""
        if step < self._end:
            return ""
        return "converged" if self._is_converged else "max_epochs"


class _FallingSchedule:
    """A rate that falls from the first step to the last."""

    def __init__(self, n_steps):
        self._n_steps = n_steps

    def rate(self, step):
        """Return the rate of a step, counted from 0."""
        return RATE * (1 - step / self._n_steps * (1 - END_RATE))

    def exaggeration(self, step):
        """Return by how much neighbours attract more."""
        return 1.0

    def note(self, step, loss):
        """Take note of nothing."""

    def reason_to_stop(self, step):
        """Return "converged" after the last step, else nothing."""
        return "converged" if step >= self._n_steps else ""


@dataclass(frozen=True)
class Pairs:
    """Pairs of neighbours, each once, and their shares of all neighbourhoods.

    Parameters
    ----------
    first, second : Tensor of shape (n_pairs,)
        Indices of rows.
    share : Tensor of shape (n_pairs,)
        Of each order of the two; over both orders they add up to 1.
    """

    first: torch.Tensor
    second: torch.Tensor
    share: torch.Tensor

    @classmethod
    def of(cls, neighbors):
        """Return the pairs of which one is a neighbour of the other, or both."""
        n, n_neighbors = neighbors.shape
        row = torch.arange(n, device=neighbors.device).repeat_interleave(n_neighbors)
        neighbor = neighbors.flatten()
        low, high = torch.minimum(row, neighbor), torch.maximum(row, neighbor)
        pairs, counts = (low * n + high).unique(return_counts=True)
        return cls(pairs // n, pairs % n, counts.double() / (2 * len(neighbor)))

    def pull(self, n):
        """Return the shares of each row's pairs, in means over all rows, (n,)."""
        pull = torch.zeros(n, dtype=torch.float64, device=self.share.device)
        pull.index_add_(0, self.first, self.share)
        pull.index_add_(0, self.second, self.share)
        return pull * n


class Attraction:
    """The gradient's first term, sum_j 4 p_ij w_ij (y_i - y_j)."""

    def __init__(self, pairs, n):
        self._first, self._second = pairs.first, pairs.second
        self._share = pairs.share.float()
        # sum p log p: the part of the loss that no position changes
        self._constant = float((2 * pairs.share * pairs.share.log()).sum())
        self._weight = self._share * 4
        self._pull, self._lengths = torch.empty(
            2, len(self._share), dtype=torch.float32, device=self._share.device
        )

    def gradient(self, y):  # (k, n) -> (k, n)
        """Return it; a coordinate at a time, as such gathers are faster."""
        differences = [
            of_one.index_select(0, self._first) - of_one.index_select(0, self._second)
            for of_one in y
        ]
        self._lengths.fill_(1)
        for difference in differences:
            self._lengths.addcmul_(difference, difference)
        torch.div(self._weight, self._lengths, out=self._pull)
        gradient = torch.zeros_like(y)
        for difference, of_one in zip(differences, gradient, strict=True):
            difference.mul_(self._pull)
            of_one.scatter_add_(0, self._first, difference)
            of_one.scatter_add_(0, self._second, difference.neg_())
        return gradient

    def loss(self):
        """Return sum p log(p / w) where the gradient was last asked for."""
        return self._constant + 2 * float(self._share @ self._lengths.log())


class Repulsion:
    """The gradient's second term, sum_j 4 q_ij w_ij (y_i - y_j), from a sample of j."""

    def __init__(self, n, generator):
        self._generator, self._size = generator, min(SAMPLE, n)
        self._is_exact = self._size == n
        self._order, self._next = torch.arange(n, device=generator.device), 0
        self._total = 0.0  # the running sum of the weights of all pairs

    def gradient(self, y):  # (k, n) -> (k, n)
        """Return it, estimated from other rows at each call."""
        k, n = y.shape
        q = y.index_select(1, self._sample())
        ones = q.new_ones(1, self._size)
        left = torch.cat([q * -2, q.square().sum(dim=0, keepdim=True) + 1, ones]).T
        right = torch.cat([q, ones])
        gradient, total = torch.empty_like(y), 0.0
        for its, out in zip(
            y.split(BLOCK_COLUMNS, dim=1),
            gradient.split(BLOCK_COLUMNS, dim=1),
            strict=True,
        ):
            squares = its.square().sum(dim=0, keepdim=True)
            weights = left @ torch.cat([its, torch.ones_like(squares), squares])
            weights.reciprocal_()
            total += float(weights.sum())
            sums = right @ weights.square_()
            torch.addcmul(sums[:k].neg_(), sums[k], its, out=out)
        share = n / self._size
        self._track((total - self._size) * share)
        return gradient.mul_(4 * share / self._total)

    def loss(self):
        """Return the logarithm of the sum of all pairs' weights."""
        return log(self._total)

    def _sample(self):
        """Return the next rows of a random order, and begin another at its end."""
        if self._is_exact:
            return self._order
        if self._next + self._size > len(self._order):
            self._next = 0
        if self._next == 0:
            self._order = torch.randperm(
                len(self._order), generator=self._generator, device=self._order.device
            )
        self._next += self._size
        return self._order[self._next - self._size : self._next]

    def _track(self, total):
        """Move the running sum towards that of one sample."""
        moves = TRACKING if self._total and not self._is_exact else 1.0
        self._total = max(self._total + moves * (total - self._total), LEAST_TOTAL)
