"""What the extension of a file says, which needs no library."""

from pathlib import Path

from skvae._files.content import COMPRESSED_SUFFIXES

DELIMITED_SUFFIXES = (".csv", ".tsv", ".txt")
SUFFIXES = (
    *DELIMITED_SUFFIXES,
    *(".parquet", ".pq", ".feather", ".arrow", ".xlsx"),
)
EXTRAS = {  # kind of file: the package that reads it, and the extra that installs it
    "parquet": ("pyarrow", "parquet", "Parquet"),
    "feather": ("pyarrow", "parquet", "Feather"),
    "excel": ("openpyxl", "excel", "Excel"),
}


def suffix_of(path):
    """Return the extension of a path, and that of its compression if it has one.

    Examples
    --------
    >>> from skvae._files.formats import suffix_of
    >>> suffix_of("a.CSV.gz"), suffix_of("b.parquet")
    (('.csv', '.gz'), ('.parquet', ''))
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    last = suffixes.pop() if suffixes else ""
    if last in COMPRESSED_SUFFIXES:
        return (suffixes.pop() if suffixes else ""), last
    return last, ""
