"""From rows to a fitted model: who trains, who validates, what is kept.

Rows are split, the closed form starts the network, and training improves it: that is a
trial, of rows that do not validate. Where nothing beats the closed form on validation
rows, that of all rows is the result. Else the validation rows choose the noise and what
else training rows would flatter, and join the training for a last while. Then
components are put in order and the read-out is fitted. To find the number of components
for a share of the variance, several are tried; the rest happens to one trial only.
"""

import torch

from skvae._fitting.dimension import EXPECTED_RATIO, Search, explained_by_pca
from skvae._fitting.fitter import ACTIVE_NATS, Fitter, Solution, Trial
from skvae._fitting.haste import Haste
from skvae._fitting.map import MapFitter
from skvae._fitting.split import Split
from skvae._numerics.threads import threads
from skvae._training.events import Listener, Printer

__all__ = ["ACTIVE_NATS", "Listener", "Printer", "Solution", "fit_vae"]


def fit_vae(x, first_rows, recipe, start=None, share=None):
    """Fit a VAE to rows.

    The first KeyboardInterrupt after training began ends it, and the best model so far
    is kept; the next one is raised.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Scaled rows in single precision and random order; the first validate.
    first_rows : Rows
        What the likelihood is told of the first rows, in double precision.
    recipe : Recipe
    start : Density, optional
        Of a fit with the same architecture to continue from, instead of the closed
        form. Where that fit kept the closed form, this one starts from it too; with
        indicators always from its weights.
    share : float, optional
        Of the validation rows' variance: with as few components as explain it, whatever
        the recipe says. They are counted before the validation rows join the training.

    Returns
    -------
    Solution
    """
    # The caller's inference mode, grad mode and threads change no bit.
    with threads(recipe.n_threads), torch.inference_mode(False), torch.no_grad():
        rows, haste = (x, first_rows), Haste()
        fitter: Fitter
        if recipe.n_neighbors is not None:
            fitter = MapFitter(*rows, recipe, haste)
            trial = fitter.trial()
        elif share is None:
            fitter = Fitter(*rows, recipe, haste, start)
            trial = fitter.trial()
        else:
            fitter, trial = _search(share, *rows, recipe, haste)
        solution = fitter.solution(trial)
        recipe.training.listener.end(solution)
        return solution


def _search(share, x, first_rows, recipe, haste):
    """Return the fitter and the trial of the fewest components for a share."""
    split, listener = Split(x, first_rows, recipe), recipe.training.listener
    of_pca = explained_by_pca(split.training, split.validation, recipe.units)
    search = Search(share, of_pca, 1.0 if recipe.is_linear else EXPECTED_RATIO)
    tried: dict[int, tuple[Fitter, Trial]] = {}
    while (k := search.next()) is not None and not haste.reason:
        fitter = Fitter(x, first_rows, recipe.with_components(k), haste)
        components = f"{k} component{'s' * (k != 1)}"
        try:
            listener.phase(f"Trying {components} for a share of {share:g}")
            trial = fitter.trial()
        except KeyboardInterrupt:
            if not tried:
                raise
            haste.interrupt()
            break
        tried[k] = fitter, trial
        (explained,) = haste.insist(fitter.explained, trial, [k])
        search.note(k, explained)
        verb = "explain" if k > 1 else "explains"
        haste.insist(listener.phase, f"{components} {verb} {explained:.4f}")
    return tried[search.found]
