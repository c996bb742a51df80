import gzip

import pandas as pd
import pytest

from skvae._files.content import compress
from skvae._files.open import open_table

TABLE = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
TEXT = TABLE.to_csv(index=False).encode()


@pytest.mark.parametrize(
    "name",
    [
        *("t.csv", "t.txt", "t.csv.gz", "T.CSV.GZ", "t.csv.bz2", "t.csv.xz"),
        *("t.csv.zst", "t.parquet", "t.pq", "t.feather", "t.arrow", "t.xlsx"),
    ],
)
def test_every_format_gives_the_same_table(tmp_path, name):
    path = tmp_path / name
    if name.lower().startswith(("t.csv", "t.txt")):
        pytest.importorskip("zstandard")
        path.write_bytes(compress(name, TEXT, path.suffix.lower()))
    elif "x" in path.suffix:
        pytest.importorskip("openpyxl")
        TABLE.to_excel(path, index=False)
    else:
        pytest.importorskip("pyarrow")
        write = (
            TABLE.to_parquet if path.suffix in (".parquet", ".pq") else TABLE.to_feather
        )
        write(path)
    found = open_table(path).frame
    assert found.astype(str).values.tolist() == TABLE.astype(str).values.tolist()
    assert list(found.columns) == ["a", "b"]


def test_bytes_say_what_a_file_is_whatever_its_name(tmp_path):
    pytest.importorskip("pyarrow")
    TABLE.to_parquet(tmp_path / "t.csv")
    assert open_table(tmp_path / "t.csv").kind == "parquet"
    (tmp_path / "u.csv").write_bytes(gzip.compress(TEXT))
    assert open_table(tmp_path / "u.csv").frame["b"].tolist() == ["x", "y"]
