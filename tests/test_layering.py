"""Some arrows between the folders never exist, and libraries stay where they belong.

The sources are only read, never imported. Imports inside functions count.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "skvae"

# What stands at the top of the package: folders, and the files beside them.
FLOORS = """
    _cleaning _cli display _files _fitting _likelihoods _linear _map _model _numerics
    _table _training _trees
    _artefact _choices _detector _imputer _layout _parameters _printable _rules _vae
    _version _warnings _wrapping
    __init__ __main__
""".split()
EVERYTHING = set(FLOORS)
LIBRARIES = {"torch", "sklearn", "pandas", "numpy", "scipy"}

# floor -> (floors and libraries that it never imports, why)
NEVER = {
    "_table": (
        {
            *EVERYTHING
            - {"_table", "_layout", "_numerics", "_printable", "_rules", "_warnings"},
            "torch",
        },
        "a table is rows of floats, whatever is made of them",
    ),
    "_files": (
        {*EVERYTHING - {"_files", "_warnings"}, "torch", "sklearn"},
        "a file is read and written whatever its columns are taken for",
    ),
    "_cleaning": (
        {
            *EVERYTHING - {"_cleaning", "_files", "_table", "_printable", "_warnings"},
            "torch",
        },
        "what a column is, is known before there is a model",
    ),
    "_linear": (
        EVERYTHING - {"_linear", "_numerics"},
        "a linear model sees rows of floats only",
    ),
    "_likelihoods": (
        {*EVERYTHING - {"_likelihoods", "_layout", "_numerics"}, "sklearn", "pandas"},
        "a likelihood is handed what the decoder says of its columns",
    ),
    "_map": (
        {*EVERYTHING - {"_map", "_numerics"}, "sklearn", "pandas"},
        "a map is of rows of floats, whatever model they are from",
    ),
    "_trees": (
        {*EVERYTHING - {"_trees", "_table", "_rules"}, "torch", "pandas"},
        "trees see rows of codes, whatever model completes or starts them",
    ),
    "_model": (
        {"_table", "_training", "_fitting", "_vae", "_cli", "display"}
        | {"sklearn", "pandas"},
        "a fitted model is asked about rows of floats, however it was fitted",
    ),
    "_training": (
        {"_fitting", "_linear", "_table", "_vae", "_cli", "display"}
        | {"sklearn", "pandas"},
        "the loop knows tensors, and not what is kept of them",
    ),
    "_fitting": (
        {"_table", "_vae", "_cli", "display", "sklearn", "pandas"},
        "a fit sees rows of floats only",
    ),
    "_vae": (
        {"_training", "_linear", "_likelihoods", "display", "_cli", "__init__"},
        "the estimator knows tables, fits and fitted models",
    ),
    **dict.fromkeys(
        ("_detector", "_imputer", "_wrapping"),
        (
            EVERYTHING
            - {"_vae", "_wrapping", "_parameters", "_printable", "_table"}
            - {"_artefact", "_numerics", "_rules", "_trees"},
            "a model in another role is asked as its users ask it",
        ),
    ),
    "_parameters": (
        {"_vae", "_cli", "display", "_fitting", "_training", "__init__"},
        "the domain of a parameter needs no data",
    ),
    "_cli": (
        {"_model", "_linear", "_likelihoods", "_training", "_fitting"},
        "the command uses the estimator as its users do",
    ),
    "display": (
        EVERYTHING - {"display", "_printable"},
        "a picture is of any transformer",
    ),
    "_numerics": (
        {*EVERYTHING - {"_numerics"}, "sklearn", "pandas"},
        "numerics know arrays and tensors",
    ),
    "_layout": (
        {*EVERYTHING - {"_layout", "_rules"}, "torch", "sklearn", "pandas"},
        "the layout is what table and network agree on",
    ),
    "_choices": (EVERYTHING | LIBRARIES, "the command tells a mistake at once"),
    "_printable": (EVERYTHING | LIBRARIES, "the command tells a mistake at once"),
    "_warnings": (EVERYTHING, "whoever warns needs no other to do so"),
    "_rules": (
        {*EVERYTHING - {"_rules"}, "torch", "sklearn", "pandas"},
        "a rule knows plain data",
    ),
    "_artefact": (
        {"_fitting", "_training", "_vae", "_parameters", "_cli", "display"}
        | {"__init__", "sklearn", "pandas"},
        "a file is read without fitting",
    ),
    "_version": (EVERYTHING - {"_version"}, "the version is read by the build"),
}


class Import(NamedTuple):
    name: str  # absolute and dotted, down to the imported name
    line: int
    in_function: bool


def find_imports(module: str, source: str) -> Iterator[Import]:
    """All imports of a module of the package, ``import_module("...")`` included."""

    def visit(node, in_function):
        for name in imported_names(module, node):
            yield Import(name, node.lineno, in_function)
        is_function = isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        for child in ast.iter_child_nodes(node):
            yield from visit(child, in_function or is_function)

    return visit(ast.parse(source), in_function=False)


def imported_names(module: str, node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=source, names=names, level=level):
            package = ["skvae", *module.split(".")]
            parents = package[:-level] if level else []
            parts = [*parents, *([source] if source else [])]
            return [".".join([*parts, alias.name]) for alias in names]
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__")
            | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return ["skvae" + name if name.startswith(".") else name]
    return []


def floor_of(name: str) -> str:
    """The floor that an import of `name`, which begins with skvae, reaches."""
    _, second, *_ = [*name.split("."), ""]
    is_floor = second in EVERYTHING or (second[:1] == "_" and second[:2] != "__")
    return second if is_floor else "__init__"


def find_violations(module: str, source: str) -> list[str]:
    floor = module.split(".")[0]
    forbidden, reason = NEVER.get(floor, (set(), ""))
    path = module.replace(".", "/")
    violations = []
    for name, line, in_function in find_imports(module, source):
        library = name.split(".")[0]
        target = floor_of(name) if library == "skvae" else library
        rule = None
        if library == "skvae" and target not in EVERYTHING:
            rule = f"{target} has no place in FLOORS"
        elif target in forbidden:
            rule = f"{floor} never imports {target}, as {reason}"
        elif target == "matplotlib" and not (floor == "display" and in_function):
            rule = "matplotlib is imported inside the functions of display alone"
        if rule:
            violations.append(f"skvae/{path}.py:{line} imports {name}: {rule}")
    return violations


def modules() -> list[str]:
    return sorted(
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
    )


def test_everything_has_a_floor():
    found = {module.split(".")[0] for module in modules()}
    assert found - EVERYTHING == set(), "give these a place in FLOORS"
    assert EVERYTHING - found == set(), "FLOORS lists what does not exist"


@pytest.mark.parametrize("module", modules())
def test_no_arrow_that_must_not_exist(module):
    path = PACKAGE / f"{module.replace('.', '/')}.py"
    violations = find_violations(module, path.read_text(encoding="utf-8"))
    assert not violations, "\n".join(violations)


def test_files_import_each_other_in_no_circle():
    found = set(modules())
    arrows = {}
    for module in found:
        source = (PACKAGE / f"{module.replace('.', '/')}.py").read_text("utf-8")
        arrows[module] = set()
        for name, *_ in find_imports(module, source):
            parts = name.split(".")
            if parts[0] == "skvae":
                targets = (".".join(parts[1 : i + 1]) for i in (3, 2, 1))
                arrows[module] |= {next((t for t in targets if t in found), "__init__")}
        arrows[module].discard(module)
    while leaves := {module for module, to in arrows.items() if not to & set(arrows)}:
        arrows = {m: to for m, to in arrows.items() if m not in leaves}
    assert not arrows, f"these import each other in a circle: {sorted(arrows)}"


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        # arrows up, in every spelling
        (
            "_table.schema",
            "import numpy\nfrom skvae._vae import VAETransformer\n",
            "skvae/_table/schema.py:2 imports skvae._vae.VAETransformer: "
            "_table never imports _vae, as a table is rows of floats",
        ),
        ("_model.network", "import skvae._training.loop as t", "imports _training"),
        ("_version", "from skvae import _table", "_version never imports _table"),
        ("_linear.vae", "from .. import _table", "_linear never imports _table"),
        ("_linear.vae", "from .._table import x", "_linear never imports _table"),
        ("_linear.vae", "from skvae._model.network import *", "imports _model"),
        ("_vae", "from skvae import __version__", "_vae never imports __init__"),
        ("_vae", "import skvae", "_vae never imports __init__"),
        ("_vae", "def f():\n    import skvae.display", "_vae never imports display"),
        ("_vae", "import_module('skvae.display')", "_vae never imports display"),
        ("_vae", "importlib.import_module('.display', 'skvae')", "imports display"),
        ("_fitting.fit", "from skvae._table.schema import Schema", "imports _table"),
        ("display.drawing", "from skvae._layout import x", "imports _layout"),
        ("_vae", "from skvae._new import f", "_new has no place in FLOORS"),
        # libraries
        ("_table.entries", "import numpy, torch", "_table never imports torch"),
        ("_model.network", "import sklearn.utils", "_model never imports sklearn"),
        ("_likelihoods.noise", "import pandas as pd", "never imports pandas"),
        ("_training.loop", "async def f(): import sklearn", "never imports sklearn"),
        ("display.drawing", "import matplotlib.pyplot as plt", "inside the functions"),
        ("display.drawing", "class D:\n    import matplotlib", "inside the functions"),
        ("_cli.main", "def f(): import matplotlib", "inside the functions of display"),
    ],
)
def test_bad_import_is_reported(module, source, message):
    (violation,) = find_violations(module, source)
    assert message in violation


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_cli.main", "from skvae import VAETransformer, __version__"),
        ("__init__", "from skvae._vae import VAETransformer"),
        ("display.drawing", "def draw():\n    from matplotlib import pyplot"),
        ("_vae", "import sklearn, pandas, torch\nfrom skvae._table import schema"),
        ("_training.loop", "import torch\nfrom skvae._model.network import VAE"),
        ("_table.entries", "import pandas, torchmetrics\nimport skvae._layout"),
        ("_table.entries", "from . import plain\nfrom .plain import pack"),
    ],
)
def test_good_import_passes(module, source):
    assert find_violations(module, source) == []
