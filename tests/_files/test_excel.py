import datetime as dt
import io

import pandas as pd
import pytest

from skvae._files.excel import ExcelFile

openpyxl = pytest.importorskip("openpyxl")


def workbook(rows, top=0):
    book = openpyxl.Workbook()
    sheet = book.active
    for _ in range(top):
        sheet.append([])
    for row in rows:
        sheet.append(row)
    book.create_sheet("other").append(["untouched"])
    return book


def content_of(book):
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


DAY = dt.datetime(2021, 3, 25)
ROWS = [
    ["id", "count", "size", "day", "flag", "code", "sum"],
    ["x1", 1, 1.5, DAY, True, "a", "=B2+1"],
    ["x2", None, None, None, None, "N/A", "=B3+1"],
    ["x3", 3, 2.0, DAY, False, "b", "=B4+1"],
]


@pytest.mark.parametrize("top", [0, 2])
def test_empty_cells_are_filled_and_nothing_else(top):
    book = workbook(ROWS, top)
    book.active.cell(top + 2, 4).number_format = "dd.mm.yyyy"
    book.active.cell(top + 2, 3).fill = openpyxl.styles.PatternFill("solid", "FFFF00")
    file = ExcelFile("t.xlsx", content_of(book))
    assert file.frame["count"].dtype == "Int64"
    assert file.frame["size"].tolist()[::2] == [1.5, 2.0]
    assert file.frame["day"].dtype.kind == "M"
    assert file.frame["flag"].dtype == "boolean"
    assert file.marks["code"] == {"N/A": 1}
    entries = {
        "count": pd.Series({1: 2}),
        "size": pd.Series({1: 1.75}),
        "day": pd.Series({1: pd.Timestamp(DAY)}),
        "flag": pd.Series({1: True}),
        "code": pd.Series({1: "b"}),
    }
    found = openpyxl.load_workbook(io.BytesIO(file.filled(entries)))
    values = [list(row) for row in found.worksheets[0].iter_rows(values_only=True)]
    expected = [list(row) for row in ROWS]
    expected[2][1:6] = 2, 1.75, DAY, True, "b"
    assert values[top:] == expected
    sheet = found.worksheets[0]
    assert sheet.cell(top + 3, 4).number_format == "dd.mm.yyyy"
    assert sheet.cell(top + 2, 3).fill.fgColor.rgb == "00FFFF00"
    assert found["other"]["A1"].value == "untouched"


def test_formula_without_a_result_stays():
    rows = [["a", "b"], [1, "=A2"], [2, 5]]
    file = ExcelFile("t.xlsx", content_of(workbook(rows)))
    found = openpyxl.load_workbook(io.BytesIO(file.filled({"b": pd.Series({0: 9})})))
    assert found.worksheets[0]["B2"].value == "=A2"


def test_names_and_empty_columns():
    rows = [["a", None, "a", None], [1, None, 2, "x"], [3, None, 4, "y"]]
    frame = ExcelFile("t.xlsx", content_of(workbook(rows))).frame
    assert list(frame.columns) == ["a", "a.1", "Unnamed: 2"]


def test_empty_workbook_is_named():
    with pytest.raises(ValueError, match=r"t\.xlsx is empty"):
        ExcelFile("t.xlsx", content_of(workbook([])))


def test_title_above_the_table_is_an_error_that_says_so():
    book = workbook([["Sales of 2021"], [], *ROWS])
    with pytest.raises(
        ValueError, match=r"t.xlsx, row 1: 7 columns have 1 name.*above"
    ):
        ExcelFile("t.xlsx", content_of(book))
    book = workbook([["", "size", None], ["x1", 1, "why"], ["x2", 2, "so"]])
    assert list(ExcelFile("t.xlsx", content_of(book)).frame)[1] == "size"
