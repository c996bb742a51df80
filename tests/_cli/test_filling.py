"""`--impute` on files of any dialect: what was not empty comes back byte by byte.

The estimator is a stub that knows the complete table, so that the file with its cells
filled must be the complete file, byte by byte.
"""

import csv
import gzip
import io
import warnings

import numpy as np
import pandas as pd
import pytest

from skvae._cli import main as main_module
from skvae._cli import start
from skvae._cli.reading import read_table
from skvae._cli.selection import select

N = 60
rng = np.random.default_rng(0)
SIZE = rng.normal(size=N)
SIZE[:2] = 3, -3  # always observed, as imputed numbers are within the range
DAYS = pd.Timestamp("2021-03-25") + pd.to_timedelta((20 * SIZE).round(), unit="D")
HOLES = [7, 19, 41]


def written(numbers, form):
    return [form.format(x) for x in numbers]


def with_commas(texts):
    swap = str.maketrans(",.", ".,")
    return [text.translate(swap) for text in texts]


COLUMNS = {  # what is never empty, and what has empty cells
    "id": [str(1234567890123456000 + i) for i in range(N)],
    "remark": [f'a "{i}", or; so\tand | so' if i % 3 else "N/A" for i in range(N)],
    "zip": [f"0{2109 + i % 5}" for i in range(N)],
    "amount": written(1e4 + 1e3 * SIZE, "{:.2f}"),
    "grouped": written(1e4 + 1e3 * SIZE, "{:,.1f}"),
    "price": written(1e4 + 1e3 * SIZE, "${:,.2f}"),
    "euro": with_commas(written(1e4 + 1e3 * SIZE, "{:,.2f} €")),
    "share": written(50 + 9 * SIZE, "{:.1f}%"),
    "comma": with_commas(written(SIZE, "{:.3f}")),
    "change": written((50 * SIZE).round(), "{:+.0f}"),
    "big": written(1e5 + 1e4 * SIZE, "{:.3e}"),
    "count": written((90 + 9 * SIZE).round(), "{:.0f}"),
    "half": written((9 * SIZE).round() / 2, "{:g}"),
    "stamp": list(DAYS.strftime("%Y%m%d")),
    "iso": list(DAYS.strftime("%Y-%m-%d")),
    "german": list(DAYS.strftime("%d.%m.%Y")),
    "short": list(DAYS.strftime("%d/%m/%y")),
    "us": [f"{day.month}/{day.day}/{day.year} 12:00 AM" for day in DAYS],
    "named": list(DAYS.strftime("%d-%b-%Y")),
    "utc": list(DAYS.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "flag": ["TRUE" if x > 0 else "FALSE" for x in SIZE],
    "code": ["DE" if x > 0 else "FR" for x in SIZE],
}
KEPT = ["id", "remark"]
FILLED = [name for name in COLUMNS if name not in KEPT]


def write_csv(columns, delimiter, end, quoting):
    file = io.StringIO(newline="")
    names = [name.rstrip("_") for name in columns]
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([names, *zip(*columns.values(), strict=True)])
    return file.getvalue()


def make(names, mark="", delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    """Return the text of a file with holes, and of the complete one."""
    full = {name: list(COLUMNS[name.rstrip("_")]) for name in names}
    holes = {name: list(texts) for name, texts in full.items()}
    for j, name in enumerate(names):
        if name in KEPT:
            continue
        for row in HOLES:
            holes[name][row + j % 9] = mark
    return tuple(write_csv(c, delimiter, end, quoting) for c in (holes, full))


ALL = list(COLUMNS)
PLAIN = ["id", "zip", "amount", "count", "stamp", "flag", "code"]
FILES = {
    "comma": make(ALL),
    "quoted": make(ALL, quoting=csv.QUOTE_ALL),
    "windows": make(ALL, end="\r\n"),
    "old mac": make(ALL, end="\r"),
    "semicolon": make(ALL, delimiter=";"),
    "semicolon quoted": make(ALL, delimiter=";", quoting=csv.QUOTE_ALL),
    "tab": make(ALL, delimiter="\t"),
    "bar": make(ALL, delimiter="|"),
    "NA": make(ALL, mark="NA"),
    "null": make(PLAIN, mark="null"),
    "blank": make(PLAIN, mark=" "),
    "question": make(["id", "amount", "count", "stamp", "flag"], mark="?"),
    "dash": make(["id", "amount", "count", "german"], mark="-"),
    "point": make(["id", "amount", "count", "german"], mark="."),
    "two of a name": make(["id", "amount", "amount_", "code"]),
    "one column": make(["amount"]),
}


def change(function, names=("comma", "semicolon")):
    return {
        f"{name} {function.__name__}": tuple(map(function, FILES[name]))
        for name in names
    }


def comments(text):
    head, _, rows = text.partition("\n")
    first, _, rows = rows.partition("\n")
    return f"# made by hand\n# a,b;c\n{head}\n{first}\n# so far\n{rows}"


def declared(text):
    delimiter = next(d for d in ";," if d in text.split("\n")[0])
    return f"sep={delimiter}\n{text}"


def trailing(text):
    return text.replace("\n", ",\n")


def index(text):
    lines = text.splitlines()
    return "\n".join(
        [f",{lines[0]}", *(f"{i},{line}" for i, line in enumerate(lines[1:]))]
    )


def nameless(text):
    return text.replace(",amount", ",", 1)


def padded(text):
    return text.replace(",", ", ")


FILES |= change(comments) | change(declared) | change(trailing, ["null"])
FILES |= change(index, ["null"]) | change(nameless, ["null"]) | change(padded, ["null"])
CONTENTS = {name: [text.encode() for text in pair] for name, pair in FILES.items()} | {
    f"comma in {encoding}": [text.encode(encoding) for text in FILES["comma"]]
    for encoding in ("utf-8-sig", "utf-16", "cp1252")
}


class Oracle:
    """Imputes what the complete table has."""

    def __init__(self, content):
        self.content = content

    def __call__(self, *_, **__):
        self.n_components = 2
        return self

    def fit(self, X):
        return self

    def impute(self, X):
        return read_values(self.content).X


def read_values(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        file = read_table(content)
    return select("t.csv", file.frame, None, file.decimal)


@pytest.fixture
def impute(tmp_path, monkeypatch):
    """Run the command on a file whose complete contents are given, too."""

    def impute(given, full, name="t.csv", output="full.csv"):
        (tmp_path / name).write_bytes(given)
        (tmp_path / f"truth-{name}").write_bytes(full)
        monkeypatch.setattr(main_module, "evaluate", lambda *_: None)
        monkeypatch.setattr(main_module.report, "describe_evaluation", lambda *_: "")
        oracle = Oracle(str(tmp_path / f"truth-{name}"))
        monkeypatch.setattr(main_module, "VAETransformer", oracle)
        argv = [str(tmp_path / name), "--impute", str(tmp_path / output), "--force"]
        assert start.main(argv) == 0
        return (tmp_path / output).read_bytes()

    return impute


@pytest.mark.parametrize("name", CONTENTS)
def test_filled_file_is_the_complete_one_byte_by_byte(impute, name):
    given, full = CONTENTS[name]
    assert given != full
    assert impute(given, full) == full


def test_there_are_many_dialects():
    assert len(CONTENTS) >= 20


def test_every_column_is_filled(tmp_path):
    (tmp_path / "t.csv").write_bytes(CONTENTS["comma"][0])
    selection = read_values(str(tmp_path / "t.csv"))
    assert {*selection.X} == {*FILLED}
    numeric = [c for c, kind in selection.kinds.items() if kind == "numeric"]
    dates = [c for c, kind in selection.kinds.items() if kind == "datetime"]
    assert numeric == ALL[3:13]
    assert dates == ALL[13:20]
    assert all(selection.empty[c].sum() == len(HOLES) for c in FILLED)


def test_compressed_in_and_out(impute):
    given, full = CONTENTS["comma"]
    packed = impute(gzip.compress(given), gzip.compress(full), "t.csv", "full.csv.gz")
    assert gzip.decompress(packed) == full
    assert impute(gzip.compress(given), full, "t.csv.gz", "full.csv") == full


def test_another_extension_another_delimiter(impute, tmp_path):
    given, full = CONTENTS["comma"]
    found = impute(given, full, output="full.tsv")
    expected = read_table(str(tmp_path / "truth-t.csv")).frame
    (tmp_path / "found.tsv").write_bytes(found)
    back = read_table(str(tmp_path / "found.tsv"))
    assert back.delimiter == "\t"
    pd.testing.assert_frame_equal(back.frame, expected)


def test_text_to_parquet_has_numbers_and_dates(impute, tmp_path):
    pytest.importorskip("pyarrow")
    given, full = CONTENTS["comma"]
    impute(given, full, output="full.parquet")
    found = pd.read_parquet(tmp_path / "full.parquet")
    assert found["price"].dtype == "float64"
    assert found["count"].dtype == "Int64"
    assert found["german"].dtype.kind == "M"
    assert found["zip"][0] == "02109"
    assert found["id"][0] == "1234567890123456000"
    expected = [float(text) for text in COLUMNS["amount"]]
    np.testing.assert_allclose(found["amount"], expected)
