"""A fitted estimator saved and loaded again: the same bits, small, and dated."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from models import old_state
from sklearn.datasets import make_low_rank_matrix
from sklearn.exceptions import InconsistentVersionWarning

import skvae
from skvae import VAETransformer
from skvae._model.state import load_density

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")


def through_joblib(vae):
    file = io.BytesIO()
    joblib.dump(vae, file)
    return joblib.load(file)


def through_skops(vae):
    content = skops.io.dumps(vae)
    trusted = skops.io.get_untrusted_types(data=content)
    assert trusted == ["skvae._vae.VAETransformer"]
    return skops.io.loads(content, trusted=trusted)


WAYS = {
    "pickle": lambda vae: pickle.loads(pickle.dumps(vae)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
    "skops": through_skops,
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@each_way
def test_a_copy_predicts_bit_identically(way, trained, curve, assert_same_bits):
    assert_same_bits(way(trained), trained, curve)


@each_way
def test_a_copy_has_the_same_attributes(way, trained):
    copied = way(trained)
    assert joblib.hash(copied) == joblib.hash(trained)


@each_way
def test_a_copy_of_the_closed_form_has_the_same_attributes(way, make_vae, curve):
    vae = make_vae(hidden_layer_sizes=()).fit(curve)
    assert joblib.hash(way(vae)) == joblib.hash(vae)


@each_way
def test_a_copy_can_be_fitted_on(way, make_vae, curve, assert_same_bits):
    vae = make_vae(max_iter=3, warm_start=True).fit(curve)
    copied = way(vae)
    assert_same_bits(copied.fit(curve), vae.fit(curve), curve)


@pytest.fixture(scope="module")
def mixed():
    """Categories, booleans, datetimes and numbers, with missing values."""
    rng = np.random.default_rng(0)
    days = rng.integers(0, 999, 60)
    table = pd.DataFrame(
        {
            "number": days + rng.normal(size=60),
            "count": pd.array(days // 9, dtype="Int16"),
            "boolean": pd.array(days > 500, dtype="boolean"),
            "word": rng.choice(["a", "b", "ä\0"], 60),
            "category": pd.Categorical(rng.choice([3, 1], 60), [3, 2, 1], ordered=True),
            "stamp": pd.Timestamp("2020-01-01", tz="Asia/Tokyo")
            + pd.to_timedelta(days, unit="D"),
            "object": [str(day % 3) if day % 2 else day % 3 for day in days],
        }
    )
    return table.mask(rng.random(table.shape) < 0.1)


@each_way
@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_a_copy_fitted_to_a_mixed_table_says_the_same(
    way, scaling, make_vae, mixed, assert_same_bits
):
    vae = make_vae(max_iter=3, scaling=scaling).fit(mixed)
    copied = way(vae)
    assert_same_bits(copied, vae, mixed)
    found, expected = (
        [one.impute(mixed), *one.impute(mixed, 2, random_state=0)]
        for one in (copied, vae)
    )
    for full, oracle in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(full, oracle)
    back = copied.inverse_transform(copied.transform(mixed))
    assert back.dtypes.equals(mixed.dtypes)
    if scaling == "standard":  # empty arrays of quantiles differ in their strides
        assert joblib.hash(copied) == joblib.hash(vae)
    assert_same_bits(copied.fit(mixed), vae, mixed)


@each_way
def test_an_unfitted_estimator_is_copied_too(way, make_vae):
    vae = make_vae(hidden_layer_sizes=(), device="cpu")
    assert way(vae).get_params() == vae.get_params()


def test_a_copy_keeps_nothing_of_the_original(make_vae, curve, assert_same_bits):
    vae = make_vae(max_iter=3, warm_start=True).fit(curve)
    copied, expected = copy.deepcopy(vae), copy.deepcopy(vae)
    vae.fit(curve[:50])
    assert_same_bits(copied, expected, curve)


def test_weights_mapped_from_a_file_predict_alike(
    tmp_path, trained, curve, assert_same_bits
):
    joblib.dump(trained, tmp_path / "vae.joblib")
    mapped = joblib.load(tmp_path / "vae.joblib", mmap_mode="r")
    torch.set_warn_always(True)  # torch says it once a process, else
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_same_bits(mapped, trained, curve)
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("of", ["numbers", "mixed"])
def test_state_is_arrays_and_plain_values(of, trained, make_vae, mixed):
    def is_plain(value):
        if isinstance(value, dict):
            return all(map(is_plain, (*value.keys(), *value.values())))
        if isinstance(value, list | tuple):
            return all(map(is_plain, value))
        return type(value) in (np.ndarray, str, int, float, bool, type(None))

    vae = trained if of == "numbers" else make_vae(max_iter=2).fit(mixed)
    state = vae.__getstate__()
    assert [name for name, value in state.items() if not is_plain(value)] == []
    assert not any(isinstance(value, torch.Tensor) for value in state.values())


def test_a_default_model_is_as_large_as_its_weights():
    X = make_low_rank_matrix(300, 64, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae = VAETransformer(early_stopping=False, max_iter=1).fit(X)
    n_weights = 64 * 256 + 256 * 128 + 128 * 4 + 2 * 128 + 128 * 256 + 256 * 64
    assert len(pickle.dumps(vae)) < 4 * n_weights + 50_000


@pytest.mark.parametrize("way", [WAYS["pickle"], WAYS["joblib"], WAYS["skops"]])
def test_a_model_of_another_version_warns(way, trained, curve, monkeypatch):
    message = "Trying to unpickle estimator VAETransformer from version 9.9.9"
    with monkeypatch.context() as patch:
        patch.setattr("skvae._vae.__version__", "9.9.9")
        content = pickle.dumps(trained)
    with pytest.warns(InconsistentVersionWarning, match=message) as caught:
        loaded = pickle.loads(content)
    assert caught[0].message.original_sklearn_version == "9.9.9"
    assert caught[0].message.current_sklearn_version == skvae.__version__
    np.testing.assert_array_equal(loaded.transform(curve), trained.transform(curve))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        way(loaded)  # saved again, it is of this version


@pytest.mark.parametrize("of", ["numbers", "mixed"])
def test_a_file_from_before_densities_had_parts_says_the_same(
    of, trained, make_vae, curve, mixed, assert_same_bits
):
    """The state was one dictionary then, `_parameters`."""
    vae, X = trained, curve
    if of == "mixed":
        vae, X = make_vae(max_iter=3).fit(mixed), mixed
    state = vae.__getstate__()
    fitted, _ = state.pop("_state"), state.pop("_digest")
    codec = fitted["codec"]
    before = {
        "_parameters": old_state(*load_density(fitted["density"])),
        "_schema": codec["schema"],
        "_marginals": codec["marginals"],
        "_log_slope": 0.5,
        "_fitted_shape": state["_fitted_shape"] | {"columns": "a hash"},
    }
    old = VAETransformer()
    old.__setstate__(state | before)
    assert_same_bits(old, vae, X)
    again = old.__getstate__()
    assert joblib.hash(again["_state"]) == joblib.hash(fitted)
    assert again.keys() == vae.__getstate__().keys()


def test_a_file_from_before_margins_were_matched_is_read(make_vae, mixed):
    vae = make_vae(max_iter=3, scaling="quantile").fit(mixed)
    state = vae.__getstate__()
    for part in state["_state"]["density"]["parts"]:
        del part["margins"]
    del state["_digest"]
    old = VAETransformer()
    old.__setstate__(state)
    np.testing.assert_array_equal(old.transform(mixed), vae.transform(mixed))
    assert np.isfinite(old.score(mixed))
    assert old.score(mixed) != vae.score(mixed)
    assert len(old.sample(9, random_state=0)) == 9
