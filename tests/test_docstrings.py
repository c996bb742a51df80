"""Public docstrings keep their promises: complete, and with the signature's defaults.

Their examples are run by pytest itself (--doctest-modules).
"""

import inspect
import re

import pytest
from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate

import skvae

METHODS = [
    name
    for name, function in vars(skvae.VAETransformer).items()
    if not name.startswith("_") and inspect.isfunction(function)
]
CLEANER_METHODS = ["fit", "transform", "get_feature_names_out"]
ROLES = {
    "VAEImputer": ["fit", "transform"],
    "VAEOutlierDetector": [*("fit", "score_samples", "decision_function", "predict")],
}
DISPLAYS = ["EmbeddingDisplay", "ReconstructionDisplay"]
PUBLIC = [
    "skvae.VAETransformer",
    *(f"skvae.VAETransformer.{name}" for name in METHODS),
    *(f"skvae.{role}" for role in ROLES),
    *(f"skvae.{role}.{name}" for role, names in ROLES.items() for name in names),
    "skvae.read_table",
    "skvae.TableCleaner",
    *(f"skvae.TableCleaner.{name}" for name in CLEANER_METHODS),
    *(f"skvae.display.{name}" for name in DISPLAYS),
    *(f"skvae.display.{name}.from_estimator" for name in DISPLAYS),
]

# Not asked for: an extended summary, a See Also; RT02 wants results without names.
UNASKED = {"ES01", "SA01", "RT02"}


def test_every_public_name_is_here():
    names = ["TableCleaner", *ROLES, "VAETransformer", "__version__", "read_table"]
    assert skvae.__all__ == names
    assert {"fit", "transform", "inverse_transform", "sample", "score"} <= {*METHODS}


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_complete(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in UNASKED]
    assert not errors


@pytest.mark.parametrize("name", ["VAETransformer", *METHODS])
def test_documented_defaults_are_those_of_the_signature(name):
    function = getattr(skvae.VAETransformer, name, skvae.VAETransformer)
    documented = {}
    for parameter in FunctionDoc(function)["Parameters"]:
        default = re.search("default=(.*)", parameter.type)
        documented[parameter.name] = default and eval(default[1])
    signature = inspect.signature(function).parameters
    expected = {
        parameter: None if value.default is value.empty else value.default
        for parameter, value in signature.items()
        if parameter != "self"
    }
    assert documented == expected
    required = [p for p, v in signature.items() if v.default is v.empty and p != "self"]
    assert all(
        "default=" not in doc.type
        for doc in FunctionDoc(function)["Parameters"]
        if doc.name in required
    )
