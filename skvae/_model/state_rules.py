"""What a file must hold for a density: the sizes of its arrays, and their limits.

The numbers must be such that no verb fails: weights finite, variances above 0, shares
between 0 and 1, and every array as long as the others say.
"""

from math import inf

import numpy as np
import torch

from skvae._layout import LAYOUT, load_layout
from skvae._likelihoods.dispersion import WAVES
from skvae._model.network import ACTIVATIONS, Architecture
from skvae._rules import (
    LARGEST,
    LEAST,
    Optional,
    anything,
    array,
    both,
    each,
    integer,
    maybe,
    number,
    one_of,
    positive,
    record,
    require,
    row,
    sequence,
    shares,
    weights,
)

MOST_LAYERS, MOST_WIDTH = 1_000, 2**24
MOST_PARTS = 16
LOG_VARIANCES = -700, 30  # of posteriors; beyond them a variance is 0 or infinite


def density_rule(value, path):
    """Check that a value is what `dump_density` returns."""
    require(type(value) is dict, path, "a dict", value)
    LAYOUT(value.get("layout"), f"{path}.layout")
    layout = load_layout(value["layout"])
    # How many columns and components there are, one array says and the others follow.
    bias = value.get("readout")
    array("float64", (None, layout.n_columns))(bias, f"{path}.readout")
    n_components = len(bias) - 1
    require(n_components >= 1, f"{path}.readout", "of 2 rows or more", bias)
    part = _part_rule(layout, n_components)
    share = number(LEAST, 1)
    fields = {
        "layout": anything,
        "parts": each(part, 1, MOST_PARTS),
        "weights": each(share, 1, MOST_PARTS),
        "readout": weights(n_components + 1, layout.n_columns),
    }
    record(fields)(value, path)
    _shares_add_up(value, path)


def _shares_add_up(value, path):
    """Check that each part has a weight, and that these add up to 1."""
    shares, n = value["weights"], len(value["parts"])
    require(len(shares) == n, f"{path}.weights", f"of {n} parts", shares)
    adds_up = abs(sum(shares) - 1) < 1e-6
    require(adds_up, f"{path}.weights", "of the sum 1", sum(shares))


def _part_rule(layout, n_components):
    d, k, n = layout.n_columns, n_components, layout.n_numeric
    mixture = both(
        row(positive(None), weights(None, k), weights(None, k, k)), _is_mixture
    )
    margins = both(row(weights(None), weights(None, n)), _are_margins)
    dispersion = both(
        row(weights(None, n), number(0, LARGEST)), _has_features(2 * k + 1)
    )
    return record(
        {
            "coder": _coder_rule(d, k),
            "noise": record(
                {"variance": positive(n), "dispersion": _unless_empty(dispersion)}
            ),
            "prior": _unless_empty(mixture),
            "margins": Optional(_unless_empty(margins)),
        }
    )


def _has_features(n_smooth):
    """Return the rule for a dispersion of smooth features, and on a map of waves."""

    def check(value, path):
        n_features = n_smooth, n_smooth + WAVES
        n, rule = len(value[0]), f"of {n_features[0]} or {n_features[1]} features"
        require(n in n_features, f"{path}[0]", rule, value[0])

    return check


def _unless_empty(rule):
    """Return the rule for arguments, of which there may be none."""

    def check(value, path):
        sequence()(value, path)
        if len(value):
            rule(value, path)

    return check


def _is_mixture(value, path):
    """Check that the components of a mixture fit each other and are distributions."""
    shares, means, covariances = value
    fits = len(shares) == len(means) == len(covariances) > 0
    require(fits, path, "of as many means and covariances as weights", shares)
    adds_up = abs(shares.sum() - 1) < 1e-6
    require(adds_up, f"{path}[0]", "of the sum 1", shares)
    plain = np.array(covariances)
    copied = torch.tensor(plain, dtype=torch.float64, device="cpu")
    _, info = torch.linalg.cholesky_ex(copied)
    require(not info.any(), f"{path}[2]", "positive definite", covariances)


def _are_margins(value, path):
    """Check that the map between two scales grows, so that it can be inverted."""
    knots, quantiles = value
    fits = len(knots) == len(quantiles) > 1
    require(fits, path, "of as many quantiles as knots", quantiles)
    steps = knots[1:] - knots[:-1]
    require((steps >= LEAST).all(), f"{path}[0]", "increasing", knots)
    rises = quantiles[1:] - quantiles[:-1]
    with np.errstate(over="ignore"):
        slopes = rises / steps[:, None]
    grows = ((1 / LARGEST <= slopes) & (slopes <= LARGEST)).all()
    rule = "increasing, by slopes that are no limits of floats"
    require(grows, f"{path}[1]", rule, quantiles)


def _coder_rule(d, k):
    linear = record(_linear_fields(d, k))
    network = both(
        record(
            {
                "linear": linear,
                "filler": Optional(maybe(linear)),
                "architecture": _architecture_rule(d, k),
                "flat": weights(None, dtypes="float32"),
                "x_range": _range_rule(d),
                "z_range": _range_rule(k),
                "typical_share": array("float64", (k,), LEAST, 1 + 1e-6),
                "posterior_scale": number(1e-6, 1e6),
            }
        ),
        _flat_fits,
    )
    closed_form = record({"linear": linear})

    def check(value, path):
        fields = value.keys() if type(value) is dict else ()
        rule = network if "flat" in fields else closed_form
        (_map_rule(d, k) if "reference" in fields else rule)(value, path)

    return check


def _map_rule(d, k):
    """Return the rule for a map."""
    layer = row(weights(None, None, dtypes="float32"), weights(None, dtypes="float32"))
    fields = record(
        {
            "filler": record(_linear_fields(d, k)),
            "reference": weights(None, d, dtypes="float32"),
            "positions": weights(None, k),
            "scale": number(LEAST, LARGEST),
            "layers": each(layer, 0, MOST_LAYERS),
            "activation": one_of(*ACTIVATIONS),
            "decoder": weights(None, d),
            "z_range": _range_rule(k),
            "information": array("float64", (d,), 0, LARGEST),
            "posterior_scale": number(1e-6, 1e6),
        }
    )
    return both(fields, _map_fits)


def _map_fits(value, path):
    """Check that each row of a map has a place, and that its layers fit each other."""
    n, reference = len(value["positions"]), value["reference"]
    rule = f"of one row or more, as many as {path}.positions"
    require(0 < n == len(reference), f"{path}.reference", rule, reference)
    k = n_in = value["positions"].shape[1]
    for i, (weight, bias) in enumerate(value["layers"]):
        shape = n_in, len(bias)
        rule = f"of shape {shape}"
        require(weight.shape == shape, f"{path}.layers[{i}][0]", rule, weight)
        n_in = len(bias)
    n_features = n_in + k + 1 if value["layers"] else k + 1
    rule, decoder = f"of {n_features} rows", value["decoder"]
    require(len(decoder) == n_features, f"{path}.decoder", rule, decoder)


def _linear_fields(d, k):
    """Return the rules for the arrays of a linear VAE; older files lack some."""
    return {
        "encoder": weights(d, k),
        "encoder_bias": weights(k),
        "log_var": array("float64", (k,), *LOG_VARIANCES),
        "decoder": weights(k, d),
        "decoder_bias": weights(d),
        "noise_variance": positive(d),
        "output_map": Optional(weights(k + 1, d)),
        "link": Optional(maybe(weights(k + 1, d))),
    }


def _architecture_rule(d, k):
    return record(
        {
            "n_features": one_of(d),
            "n_components": one_of(k),
            "hidden_layer_sizes": each(integer(1, MOST_WIDTH), 0, MOST_LAYERS),
            "activation": one_of(*ACTIVATIONS),
        }
    )


def _flat_fits(value, path):
    """Check that a network has as many parameters as its architecture says."""
    n, flat = Architecture(**value["architecture"]).n_parameters, value["flat"]
    rule = f"of the {n} parameters of the architecture"
    require(len(flat) == n, f"{path}.flat", rule, flat)


def _range_rule(n):
    """Return the rule for the ends of a range, which a linear network has not."""

    def in_order(value, path):
        low, high = value
        fits = (low <= high) & (low < inf) & (high > -inf)
        require(fits.all(), path, "the lower ends of ranges, and the upper ones", value)

    return both(array("float64", (2, n)), in_order)


def old_density_rule(value, path):
    """Check what `upgrade_density` reads of an older file; the result is checked too.

    Parameters
    ----------
    value : dict
    path : str
    """
    require(type(value) is dict, path, "a dict", value)
    linear = value.get("linear")
    require(type(linear) is dict, f"{path}.linear", "a dict", linear)
    weights(None)(linear.get("decoder_bias"), f"{path}.linear.decoder_bias")
    weights(None)(linear.get("encoder_bias"), f"{path}.linear.encoder_bias")
    d, k = len(linear["decoder_bias"]), len(linear["encoder_bias"])
    of_linear = record(_linear_fields(d, k))
    blocks = record(
        {"n_levels": array("int32 int64", (None,), 0, d + 1), "shares": shares(None)}
    )
    fields = {
        **dict.fromkeys(("x_range", "z_range", "readout", "widening"), anything),
        **dict.fromkeys(("linear", "fallback"), of_linear),
        "architecture": _architecture_rule(d, k),
        "flat": weights(None, dtypes="float32"),
        "noise_variance": positive(None),
        "network_weight": number(LEAST, 1 - 1e-12),
        "prior": maybe(sequence()),
        "dispersion": maybe(sequence()),
        "informed": maybe(weights(k)),
        "filler": maybe(of_linear),
        "blocks": maybe(blocks),
    }
    both(record(fields), _flat_fits)(value, path)
