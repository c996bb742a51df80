"""The arrows between the modules point down, and libraries stay where they belong.

The sources are only read, never imported. Imports inside functions count.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "skvae"

# Top to bottom: a module may import what stands below it, and nothing beside it.
LAYERS = [
    ["__main__"],
    ["__init__"],
    ["_demo", "_report"],
    ["_selection"],
    ["_plotting", "_reading", "_writing"],
    ["_terminal"],
    ["_vae"],
    ["_dimension", "_fitting", "_parameters", "_schema", "_table"],
    ["_containers", "_held_out", "_imputation"],
    ["_model", "_training"],
    ["_gradient"],
    ["_network", "_anchor", "_likelihoods", "_bounds", "_prior", "_scaling"],
    ["_link"],
    ["_dispersion", "_linear", "_marginals", "_threads"],
    ["_blocks", "_columns", "_linalg"],
    ["_plain"],
    ["_version"],
]
DEPTH = {module: depth for depth, layer in enumerate(LAYERS) for module in layer}

# module -> (libraries it may not import, why)
KNOWS_NOTHING_OF = {
    "_table": (["torch"], "a table's entries are numbers of numpy's"),
    "_schema": (["torch", "sklearn"], "tables are pandas' or polars'"),
    "_containers": (["torch", "sklearn"], "tables are pandas' or polars'"),
    "_plain": (["torch", "sklearn"], "what it packs is pandas' or polars'"),
    "_columns": (["torch", "sklearn", "polars"], "a column is a Series of pandas'"),
    "_blocks": (["torch", "sklearn", "pandas"], "the layout is numpy"),
    "_link": (["torch"], "the closed form is numpy"),
    "_scaling": (["torch", "pandas"], "tables become numpy arrays, not tensors"),
    "_marginals": (["torch", "pandas", "sklearn"], "a column is an array"),
    "_anchor": (["torch"], "the closed form is numpy"),
    "_linear": (["torch"], "the closed form is numpy"),
    "_linalg": (["sklearn", "pandas"], "linear algebra sees arrays only"),
    "_network": (["sklearn", "pandas"], "the network sees tensors only"),
    "_bounds": (["sklearn", "pandas"], "the bounds see tensors only"),
    "_model": (["sklearn", "pandas"], "the fitted model sees standardised rows only"),
    "_imputation": (["sklearn", "pandas"], "its rows are standardised"),
    "_dimension": (["sklearn", "pandas"], "the search sees standardised rows only"),
    "_fitting": (["sklearn", "pandas"], "the fit sees standardised rows only"),
    "_held_out": (["sklearn", "pandas"], "held-out rows are standardised too"),
    "_likelihoods": (["sklearn", "pandas"], "the likelihoods see tensors only"),
    "_prior": (["sklearn", "pandas"], "the prior sees tensors only"),
    "_dispersion": (["sklearn", "pandas"], "the dispersion sees tensors only"),
    "_gradient": (["sklearn", "pandas"], "the gradient sees tensors only"),
    "_training": (["sklearn", "pandas"], "the training sees tensors only"),
}


class Import(NamedTuple):
    name: str  # absolute and dotted, down to the imported name
    line: int
    in_function: bool


def find_imports(source: str) -> Iterator[Import]:
    """All imports of a module of the package, ``import_module("...")`` included."""

    def visit(node, in_function):
        for name in imported_names(node):
            yield Import(name, node.lineno, in_function)
        is_function = isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        for child in ast.iter_child_nodes(node):
            yield from visit(child, in_function or is_function)

    return visit(ast.parse(source), in_function=False)


def imported_names(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            # The package is flat: every relative import starts from skvae.
            parents = (["skvae"] if level else []) + ([module] if module else [])
            return [".".join([*parents, alias.name]) for alias in names]
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__")
            | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return ["skvae" + name if name.startswith(".") else name]
    return []


def module_of(name: str) -> str:
    """The module that an import of `name`, which begins with skvae, reaches."""
    _, second, *_ = [*name.split("."), ""]
    is_module = second in DEPTH or (second[:1] == "_" and second[:2] != "__")
    return second if is_module else "__init__"


def find_violations(module: str, source: str) -> list[str]:
    violations = []
    for name, line, in_function in find_imports(source):
        library = name.split(".")[0]
        if library == "skvae":
            broken_rule = check_arrow(module, module_of(name))
        else:
            broken_rule = check_library(module, library, in_function)
        if broken_rule:
            violations.append(f"skvae/{module}.py:{line} imports {name}: {broken_rule}")
    return violations


def check_arrow(module: str, target: str) -> str | None:
    if target not in DEPTH:
        return f"{target} has no place in LAYERS"
    if DEPTH[target] > DEPTH[module]:
        return None
    if target == module:
        return f"{module} imports itself"
    if DEPTH[target] == DEPTH[module]:
        return f"{module} and {target} stand side by side and may not know each other"
    return f"the arrow points up, {target} stands above {module}"


def check_library(module: str, library: str, in_function: bool) -> str | None:
    forbidden, reason = KNOWS_NOTHING_OF.get(module, ([], ""))
    if library in forbidden:
        return f"{module} may not import {library}, {reason}"
    if library == "matplotlib" and module != "_plotting":
        return "only _plotting may import matplotlib"
    if library == "matplotlib" and not in_function:
        return "matplotlib may only be imported inside a function, when used"
    return None


def test_every_module_has_a_layer():
    files = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
    }
    assert files - DEPTH.keys() == set(), "give these modules a place in LAYERS"
    assert DEPTH.keys() - files == set(), "LAYERS lists modules that do not exist"


@pytest.mark.parametrize("module", DEPTH)
def test_imports_point_down(module):
    source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    violations = find_violations(module, source)
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        # arrows up, in every spelling
        (
            "_table",
            "import numpy\nfrom skvae._vae import VAETransformer\n",
            "skvae/_table.py:2 imports skvae._vae.VAETransformer: "
            "the arrow points up, _vae stands above _table",
        ),
        ("_network", "import skvae._training as t", "_training stands above _network"),
        ("_version", "from skvae import _table", "_table stands above _version"),
        ("_version", "from . import _table", "_table stands above _version"),
        ("_version", "from ._table import x", "_table stands above _version"),
        ("_version", "from skvae._table import *", "_table stands above _version"),
        ("_vae", "from skvae import __version__", "__init__ stands above _vae"),
        ("_vae", "import skvae", "__init__ stands above _vae"),
        ("__init__", "from skvae.__main__ import main", "above __init__"),
        ("_vae", "def f():\n    import skvae._plotting", "_plotting stands above _vae"),
        ("_vae", "import_module('skvae._plotting')", "_plotting stands above _vae"),
        ("_vae", "importlib.import_module('._plotting', 'skvae')", "above _vae"),
        # modules side by side
        ("_network", "from skvae._likelihoods import Gaussian", "stand side by side"),
        ("_anchor", "from skvae import _scaling", "stand side by side"),
        ("_table", "import skvae._table", "_table imports itself"),
        ("_vae", "from skvae._new import f", "_new has no place in LAYERS"),
        # libraries
        ("_table", "import numpy, torch", "_table may not import torch"),
        ("_anchor", "from torch import nn", "_anchor may not import torch"),
        ("_network", "import sklearn.utils", "_network may not import sklearn"),
        ("_likelihoods", "import pandas as pd", "_likelihoods may not import pandas"),
        ("_training", "async def f(): import sklearn", "may not import sklearn"),
        ("_plotting", "import matplotlib.pyplot as plt", "only be imported inside"),
        ("_plotting", "class D:\n    import matplotlib", "only be imported inside"),
        ("__main__", "def f(): import matplotlib", "only _plotting may import"),
    ],
)
def test_bad_import_is_reported(module, source, message):
    (violation,) = find_violations(module, source)
    assert message in violation


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("__main__", "from skvae import VAETransformer, __version__, _table"),
        ("__init__", "from skvae._vae import VAETransformer"),
        ("_plotting", "def draw():\n    from matplotlib import pyplot"),
        ("_vae", "import sklearn, pandas, torch\nfrom skvae import _table, _anchor"),
        ("_training", "import torch\nfrom skvae._network import VAE"),
        ("_table", "import pandas, torchmetrics\nfrom skvae._version import shim"),
    ],
)
def test_good_import_passes(module, source):
    assert find_violations(module, source) == []
