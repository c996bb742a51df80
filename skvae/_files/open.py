"""Opens a file of a table, whatever its format: its first bytes say what it is."""

import importlib.util
from pathlib import Path

from skvae._files.arrow import ArrowFile
from skvae._files.content import decompress
from skvae._files.delimited import DelimitedFile
from skvae._files.excel import ExcelFile
from skvae._files.formats import EXTRAS, SUFFIXES, suffix_of

OTHERS = {  # what is no table, by its first bytes
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as .xlsx",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database; export its table",
    b"\x89HDF": "an HDF5 file; save its table as .parquet",
    b"\x93NUMPY": "a NumPy array; save it as .csv or .parquet",
    b"<": "HTML or XML; save its table as .csv",
    b"{": "JSON; save its table as .csv",
    b"[": "JSON; save its table as .csv",
}


def open_table(path):
    """Return the table in a file.

    Parameters
    ----------
    path : str or path-like
        Path of the file.

    Returns
    -------
    DelimitedFile, ArrowFile or ExcelFile
        It has the table as `frame`, and `filled` returns the file's content with some
        of its empty cells filled.
    """
    name = str(path)
    content = Path(path).read_bytes()
    suffix = suffix_of(path)[0]
    return parse_table(name, content, suffix)


def parse_table(name, content, suffix=None):
    """Return the table in the content of a file.

    Parameters
    ----------
    name : str
        The file's name, for messages.

    content : bytes
        What it holds.

    suffix : str, default=None
        Its extension, without that of a compression; `None` if it has no name.
    """
    content = decompress(name, content)
    kind = kind_of_content(content)
    if kind in EXTRAS:
        require(kind, f"{name}: reading")
    elif suffix is not None and suffix not in SUFFIXES:
        known = " ".join(SUFFIXES)
        raise ValueError(f"{name}: unknown extension {suffix!r}; use one of {known}")
    elif content and suffix in (".parquet", ".pq", ".feather", ".arrow", ".xlsx"):
        kind = {".xlsx": "excel", ".parquet": "parquet", ".pq": "parquet"}.get(
            suffix, "feather"
        )
        what = EXTRAS[kind][2]
        raise ValueError(
            f"{name} cannot be read as {what}: it does not begin as such a file does"
        )
    for start, what in OTHERS.items():
        if kind == "delimited" and content.lstrip().startswith(start):
            raise ValueError(f"{name} is not a table but looks like {what}")
    if kind == "excel":
        return ExcelFile(name, content)
    if kind in ("parquet", "feather"):
        return ArrowFile(name, content, kind)
    return DelimitedFile(name, content)


def kind_of_content(content):
    """Return "parquet", "feather", "excel" or "delimited", as the first bytes say."""
    if content.startswith(b"PAR1"):
        return "parquet"
    if content.startswith((b"ARROW1", b"FEA1")):
        return "feather"
    if content.startswith(b"PK\x03\x04"):
        return "excel"
    return "delimited"


def require(kind, purpose):
    """Raise an ImportError that says what to install, if this kind needs a package."""
    module, extra, what = EXTRAS[kind]
    if importlib.util.find_spec(module) is None:
        raise ImportError(
            f'{purpose} {what} needs {module}: pip install "skvae[{extra}]"'
        )
