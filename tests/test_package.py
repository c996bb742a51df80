"""The package, which imports its estimator, and so torch, when it is asked for it."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import skvae
from skvae._vae import VAETransformer

ROOT = str(Path(skvae.__file__).parents[1])
LIBRARIES = "{'numpy', 'pandas', 'sklearn', 'torch'}"


def run(code):
    """What a new process prints."""
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {ROOT!r}); {code}",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_no_library_is_imported_before_it_is_needed():
    code = f"import skvae, skvae._cli.start; print({LIBRARIES} & set(sys.modules))"
    assert run(code) == "set()\n"


def test_the_estimator_is_there_however_it_is_asked_for():
    code = "import skvae; print(skvae.VAETransformer.__name__, 'torch' in sys.modules)"
    assert run(code) == "VAETransformer True\n"
    assert skvae.VAETransformer is VAETransformer
    names = {}
    exec("from skvae import *", names)
    assert names["VAETransformer"] is VAETransformer
    assert {"VAETransformer", "__version__"} <= {*dir(skvae)}
    assert b"cskvae._vae\nVAETransformer" in pickle.dumps(VAETransformer, protocol=0)


def test_other_names_are_errors():
    with pytest.raises(AttributeError, match="'skvae' has no attribute 'VAE'"):
        skvae.VAE  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'VAE' from 'skvae'"):
        from skvae import VAE  # noqa: F401
