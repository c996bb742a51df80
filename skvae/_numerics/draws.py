"""Standard normal draws: of a seed, or spread evenly."""

import torch
from torch.quasirandom import SobolEngine


def normal_draws(n_rows, n_components, seed, device="cpu"):
    """Return standard normal draws, the same each time, (n_rows, n_components)."""
    generator = torch.Generator(device).manual_seed(seed)
    draws = torch.empty(n_rows, n_components, dtype=torch.float32, device=device)
    return draws.normal_(generator=generator)


def spread_normal(n_draws, n_components):
    """Return fixed standard normal draws, spread evenly, (n_draws, n_components).

    They integrate over z with a smaller error than as many random ones. A power of 2
    spreads best.
    """
    with torch.device("cpu"):  # whatever torch's default device
        sobol = SobolEngine(n_components, scramble=True, seed=0)
        first = sobol.quasi.double() / 2**sobol.MAXBIT  # draw() takes torch's default
        share = sobol.draw(n_draws, dtype=torch.float64)
    share[0] = first
    return torch.special.ndtri(share.clamp(2**-31, 1 - 2**-31))
