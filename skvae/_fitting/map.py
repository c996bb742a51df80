"""Fits a map to rows: their neighbours, a layout of them, and what decodes it."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from skvae._fitting.calibration import MAP_STEPS
from skvae._fitting.fitter import Fitter, Trial, count
from skvae._fitting.logits import regress_logits
from skvae._fitting.recipe import MOST_MAPPED
from skvae._fitting.start import Start, fit_filler, fit_linear, tracked
from skvae._likelihoods.mixed import indicator_blocks
from skvae._linear.moments import observed_mean
from skvae._linear.vae import LinearVAE
from skvae._map.decoder import Features, MapDecoder, fit_ridge
from skvae._map.levels import map_rows
from skvae._map.look_up import N_NEAREST, LookUp
from skvae._map.neighbors import find_neighbors
from skvae._model.map_coder import MapCoder
from skvae._numerics.chunks import map_chunks
from skvae._numerics.draws import normal_draws
from skvae._training.loop import Progress

FIRST_STD = 0.04  # of the posteriors that the first decoder is fitted to
# Draws of z that a decoder is fitted to, of each row: they make up for few rows.
DRAWS, MOST_DRAWN = 4, 20_000
FIRST_ROWS = 5000  # that the first decoders are fitted to
REACH = 3.0  # standard deviations of the posteriors that the decoder has seen


@dataclass(frozen=True)
class Map:
    """Rows on a map.

    Parameters
    ----------
    filled : Tensor of shape (n, d)
        The rows without gaps, in single precision.
    look_up : LookUp
    places : Tensor of shape (n, k)
        Where the look-up puts each row as if it were not on the map.
    filler, linear : LinearVAE
        What filled the gaps; the linear model of the rows.
    features : Features
        Of z, as they were drawn.
    progress : Progress
        Of the layout.
    """

    filled: torch.Tensor
    look_up: LookUp
    places: torch.Tensor
    filler: LinearVAE
    linear: LinearVAE
    features: Features
    progress: Progress

    @cached_property
    def index(self):
        """The place of each row among them, by its bytes."""
        return {row.tobytes(): i for i, row in enumerate(self.filled.numpy())}


def fit_map(split, listener):
    """Return the map of all rows.

    Parameters
    ----------
    split : Split
    listener : Listener

    Returns
    -------
    Map
    """
    recipe, x = split.recipe, split.x
    linear = fit_linear(x, recipe)
    filler = fit_filler(x, linear, split)
    filled = filler.fill(x).float()
    generator = torch.Generator().manual_seed(recipe.seed)
    start = filled.double() @ linear.encoder
    own = torch.arange(len(x), device="cpu")
    found = find_neighbors(filled, filled, max(recipe.n_neighbors, N_NEAREST), own)
    layout = map_rows(
        filled,
        found.indices[:, : recipe.n_neighbors],
        start,
        generator,
        listener.step_end,
        recipe.training.max_epochs,
    )
    look_up = LookUp.of(filled, layout.positions)
    places = look_up.among(found)
    architecture = recipe.architecture
    features = Features.draw(
        recipe.n_components,
        architecture.hidden_layer_sizes[::-1],
        architecture.activation,
        generator,
    )
    progress = Progress(n_epochs=layout.n_steps, stopped=layout.stopped)
    return Map(filled, look_up, places, filler, linear, features, progress)


def fit_map_coder(of_map, rows, split, before=None):
    """Return the coder of a map whose decoder is fitted to some rows, and its errors.

    Parameters
    ----------
    of_map : Map
    rows : slice
        Of all rows.
    split : Split
    before : Remembered, optional
        A coder of the map that was fitted to fewer rows, to start from.

    Returns
    -------
    coder : Remembered
    error : Tensor of shape (n_numeric,)
        Mean squared errors of rows left out.
    """
    if before is None:
        before = _first_coder(of_map, rows, split)
    posteriors = before.mean[rows], before.std[rows]
    coder, error = _regress(of_map, rows, posteriors, split)
    return Remembered.of(coder, of_map, split), error


def _first_coder(of_map, rows, split):
    """Return a coder fitted to some of the rows: at their places, then about them."""
    few = slice(rows.start, rows.start + FIRST_ROWS)
    places, x = of_map.places[few], split.x[few].double()
    at_places = places, torch.full_like(places, FIRST_STD)
    coder, _ = _regress(of_map, few, at_places, split, n_draws=1)
    mean, added = coder.refine(places, x)
    coder, _ = _regress(of_map, few, (mean, (1 + added).rsqrt()), split)
    return Remembered.of(coder, of_map, split)


def _regress(of_map, rows, posteriors, split, n_draws=DRAWS):
    """Return the coder of rows' columns regressed on draws of z, and its errors."""
    layout, (z, std) = split.recipe.layout, posteriors
    (n, k), seed = z.shape, split.recipe.seed
    n_draws = max(min(n_draws, MOST_DRAWN // n), 1)
    draws = [normal_draws(n, k, seed + i) for i in range(n_draws)]
    seen = [of_map.features(z + std * draw) for draw in draws]
    weights, errors = fit_ridge(seen, split.numeric(of_map.filled[rows].double()))
    missing = split.numeric(split.x[rows])[: len(errors)].isnan()
    error = observed_mean(errors.masked_fill(missing, torch.nan).square())
    error = error.nan_to_num(1.0).maximum(split.least_noise)
    blocks = indicator_blocks(layout, z)
    of_indicators = [block.center * (1 - block.center) for block in blocks]
    if blocks:
        indicators = split.x[rows][:, layout.n_numeric :].double()
        of_blocks = regress_logits(seen[0], indicators, blocks, bias=-1)
        weights = torch.cat([weights, of_blocks], dim=1)
    reach = REACH * std
    coder = MapCoder(
        look_up=of_map.look_up,
        decoder=MapDecoder(of_map.features, weights),
        filler=of_map.filler,
        z_range=torch.stack([(z - reach).amin(dim=0), (z + reach).amax(dim=0)]),
        information=torch.cat([1 / error, *of_indicators]),
        n_numeric=layout.n_numeric,
    )
    return coder, error


@dataclass(frozen=True)
class Remembered:
    """A coder that knows the rows of its map, each as if it were none of them.

    Parameters
    ----------
    coder : MapCoder
    index : dict
        The place of each of the rows among them, by its bytes.
    mean, added : Tensor of shape (n, k)
        Of their posteriors; what they add to the precision of z.
    posterior_scale : float
    """

    coder: MapCoder
    index: dict
    mean: torch.Tensor
    added: torch.Tensor
    posterior_scale: float = 1.0

    @classmethod
    def of(cls, coder, of_map, split):
        """Return a coder that knows the rows of its map."""
        found = map_chunks(coder.refine, of_map.places, split.x.double())
        return cls(coder, of_map.index, *found)

    n_components = property(lambda self: self.coder.n_components)
    dtype = property(lambda self: self.coder.dtype)

    def encode(self, x):  # (n, d) -> (n, k), (n, k)
        """Return the mean and the log-variance of q(z|x)."""
        filled = self.coder.filler.fill(x).float()
        places = [self.index.get(row.tobytes(), -1) for row in filled.numpy()]
        known = torch.tensor(places, dtype=torch.int64, device="cpu")
        mean, log_var = self.mean[known], self._log_var[known]
        others = known < 0
        if others.any():
            mean[others], log_var[others] = self._whole.encode(x[others])
        return mean, log_var

    def decode(self, z):  # (n, k) -> (n, d)
        """Return what parametrises p(x|z)."""
        return self.coder.decode(z)

    def with_slopes(self, z):  # (n, k) -> (n, d), (n, k, d)
        """Return what z decodes to, and its slopes along each component."""
        return self.coder.with_slopes(z)

    def permuted(self, order, signs):
        """Return the coder whose component ``i`` is ``order[i]`` times its sign."""
        parts = self.mean[:, order] * signs, self.added[:, order]
        coder = self.coder.permuted(order, signs)
        return Remembered(coder, self.index, *parts, self.posterior_scale)

    def with_offset(self, offset):  # (d,)
        """Return the coder that decodes so much more."""
        return replace(self, coder=self.coder.with_offset(offset))

    def settled(self):
        """Return the coder as it is to rows that it does not know."""
        return replace(self.coder, posterior_scale=self.posterior_scale)

    @cached_property
    def std(self):
        """Standard deviations of the posteriors, as the coder has them, (n, k)."""
        return (1 + self.added).rsqrt()

    @cached_property
    def _log_var(self):
        return -torch.log1p(self.added / self.posterior_scale)

    @cached_property
    def _whole(self):
        return self.settled()


class MapFitter(Fitter):
    """The way to a map, with the parameters of `Fitter`.

    Of very many rows, which are in random order, it is a map of the first.
    """

    def __init__(self, x, first_rows, recipe, haste):
        super().__init__(x[:MOST_MAPPED], first_rows, recipe, haste)

    def trial(self):
        """Map all rows; decode the map by those that do not validate."""
        split, recipe = self.split, self.recipe
        self.listener.phase(
            f"Laying out {count(split.x)} by {recipe.n_neighbors} neighbours"
        )
        self._map = fit_map(split, self.listener)
        if self._map.progress.was_cut_short:
            self.haste.reason = self._map.progress.stopped
        self.listener.phase("Regressing columns on places")
        rows = slice(recipe.n_validation, None)
        coder, error = self.haste.insist(fit_map_coder, self._map, rows, split)
        linear, filler = self._map.linear, self._map.filler
        fallback = fit_linear(split.training, recipe)
        start = Start(coder, tracked(error, split), linear, filler, fallback)
        return Trial(start, coder, start.likelihood, self._map.progress)

    def solution(self, trial):
        """Return what all rows make of a trial."""
        return self.haste.insist(self._solution, trial)

    def _solution(self, trial):
        candidate = self._calibrated(trial.network, trial.start, MAP_STEPS)
        before = trial.network
        coder, _ = fit_map_coder(self._map, slice(None), self.split, before)
        scale = candidate.first.coder.posterior_scale
        coder = replace(coder, posterior_scale=scale)
        candidate = replace(candidate.with_first(coder=coder), network=coder)
        candidate = self._with_fallback(candidate, self._map.linear)
        solution = self._finished(trial, candidate, trial.progress)
        coder = solution.density.parts[0].coder.settled()
        return replace(solution, density=solution.density.with_first(coder=coder))
