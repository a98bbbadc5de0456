"""Tables from files that nobody prepared, and rows into files."""

import datetime as dt
import decimal
import gzip
import io
import os
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from geomgen._io import Reading, check_output, open_table, read_table
from geomgen._io.columns import infer


def read(tmp_path, text, written="utf-8", name="rows.csv", **how):
    path = tmp_path / name
    path.write_bytes(text.encode(written) if isinstance(text, str) else text)
    how = Reading(**how)
    return read_table(path, how), how.notes


# ------------------------------------------------------------------------------------ columns
@pytest.mark.parametrize(
    "written,values,dtype",
    [
        (["1", "2", "-3"], [1, 2, -3], "int64"),
        (["1", None, "3"], [1, None, 3], "Int64"),
        (["1.0", None, "3.0"], [1, None, 3], "Int64"),  # as pandas writes them
        (["2.00", "3.50"], [2.0, 3.5], "float64"),
        (["2.00", "3.00"], [2.0, 3.0], "float64"),  # prices
        (["1e3", "2"], [1000.0, 2.0], "float64"),
        (["1,234", "12", "1,234,567"], [1234, 12, 1234567], "int64"),
        (["1,234.5", "12.25"], [1234.5, 12.25], "float64"),
        (["1.234,5", "0,25", "7"], [1234.5, 0.25, 7.0], "float64"),
        (["1 234", "1\u00a0234\u00a0567"], [1234, 1234567], "int64"),
        (["1'234.5", "2.5"], [1234.5, 2.5], "float64"),
        (["$ 5.25", "-$1,000.50"], [5.25, -1000.5], "float64"),
        (["3,5 €", "1.000,25 €"], [3.5, 1000.25], "float64"),
        (["45%", "5.5 %"], [45.0, 5.5], "float64"),
        (["true", "FALSE"], [True, False], "bool"),
        (["true", None], [True, None], "boolean"),
        (["01", "02", "17"], ["01", "02", "17"], "str"),  # codes keep their zeros
        (["12345678901234567890", "1"], ["12345678901234567890", "1"], "str"),
        (["yes", "no"], ["yes", "no"], "str"),
        (["nan", "inf"], ["nan", "inf"], "str"),
    ],
)
def test_columns(written, values, dtype):
    column, note = infer(pd.Series(written, name="x", dtype="str"))
    assert note == "" and str(column.dtype) == dtype
    pd.testing.assert_series_equal(column, pd.Series(values, name="x", dtype=dtype))


@pytest.mark.parametrize(
    "written",
    [
        ["2024-01-31", "2023-12-01"],
        ["31.01.2024", "01.12.2023"],
        ["01/31/2024", "12/01/2023"],
        ["31/01/2024", "01/12/2023"],
        ["31 Jan 2024", "01 Dec 2023"],
        ["January 31, 2024", "December 01, 2023"],
        ["2024/01/31", "2023/12/01"],
    ],
)
def test_dates(written):
    column, note = infer(pd.Series(written, name="x", dtype="str"))
    assert note == "" and column.dt.strftime("%Y-%m-%d").tolist() == ["2024-01-31", "2023-12-01"]


def test_times_of_the_day_and_zones():
    written = ["31.01.2024 14:05", "01.02.2024 09:00"]
    column, _ = infer(pd.Series(written, name="x", dtype="str"))
    assert column[0] == pd.Timestamp("2024-01-31 14:05")
    zones = ["2024-01-31T14:05:00+02:00", "2024-01-31T14:05:00+01:00"]
    column, _ = infer(pd.Series(zones, name="x", dtype="str"))
    assert column[1] - column[0] == pd.Timedelta("1h")


def test_dates_that_can_be_read_in_two_ways_are_told():
    column, note = infer(pd.Series(["03/04/2024", "05/06/2024"], name="day", dtype="str"))
    assert column[0] == pd.Timestamp("2024-03-04")
    assert "'day'" in note and "2024-01-31" in note


def test_the_decimal_mark_can_be_said():
    column = pd.Series(["1,234", "5,678"], name="x", dtype="str")
    assert infer(column)[0].tolist() == [1234, 5678]
    assert infer(column, ",")[0].tolist() == [1.234, 5.678]
    assert infer(pd.Series(["1.234"], dtype="str"), ",")[0].tolist() == [1234]


def test_a_few_words_among_numbers_are_missing_and_told():
    written = [*map(str, range(99)), "unknown"]
    column, note = infer(pd.Series(written, name="age", dtype="str"))
    assert column[:99].tolist() == list(range(99)) and pd.isna(column[99])
    assert "'age'" in note and "'unknown'" in note


def test_many_words_among_numbers_are_refused_or_categories():
    mixed = pd.Series([*map(str, range(80)), *["12 kg"] * 20], name="weight", dtype="str")
    with pytest.raises(
        ValueError, match=r"'weight' has 80 numbers and 20 .*'12 kg'.*--drop weight"
    ):
        infer(mixed)
    grades = pd.Series(["1", "2", "3", "x"] * 9, name="grade", dtype="str")
    assert infer(grades)[0].equals(grades)


def test_numbers_come_back_however_they_are_written():
    """Whatever the notation, the numbers are those that were written."""
    rng = np.random.RandomState(0)
    for _ in range(40):
        digits, scale = rng.randint(1, 4), 10 ** rng.uniform(0, 7)
        values = np.round(rng.normal(scale=scale, size=60), digits)
        english = [f"{v:,.{digits}f}" for v in values]
        continental = [v.translate(str.maketrans(",.", ".,")) for v in english]
        for written, mark in ((english, "."), (continental, ",")):
            column, _ = infer(pd.Series(written, dtype="str"), mark)
            np.testing.assert_array_equal(column.astype(float), values)


# -------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_separators_and_encodings(tmp_path, separator, encoding):
    lines = [["name", "size, in m", "city"], ['"Zoë, the ""1st"""', "1.5", "Zürich"]]
    lines += [['"Ann; B|C\t."', " 2 ", ""]]
    lines[0][1] = f'"{lines[0][1]}"'
    table, notes = read(tmp_path, "\r\n".join(separator.join(line) for line in lines), encoding)
    assert table.columns.tolist() == ["name", "size, in m", "city"]
    assert table["name"].tolist() == ['Zoë, the "1st"', "Ann; B|C\t."]
    assert table["size, in m"].tolist() == [1.5, 2.0] and table["city"].isna().tolist() == [0, 1]
    assert bool(notes) == (encoding == "latin-1")  # what is guessed is told


def test_missing_values_blank_lines_and_the_separator_line(tmp_path):
    text = "sep=;\na;b;c\n1;?;x\n\n;;\nNA;2.5;-\n3; ;y\n"
    table, _ = read(tmp_path, text)
    assert len(table) == 3 and table["a"].tolist() == [1, pd.NA, 3]
    assert table["b"].isna().tolist() == [True, False, True]
    assert table["c"].isna().tolist() == [False, True, False]


def test_columns_without_a_name(tmp_path):
    """The index that pandas writes, and the column that a separator at line ends makes."""
    text = ",a,\n" + "".join(f"{k},{k % 3},\n" for k in range(30))
    table, notes = read(tmp_path, text)
    assert table.columns.tolist() == ["a"] and len(notes) == 2


def test_ids_are_keys_unless_they_are_wanted(tmp_path):
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({"row": range(5, 45), "patient_id": rng.permutation(9999)[:40]})
    frame["income"] = rng.permutation(9999)[:40]
    text = frame.to_csv(index=False)
    table, notes = read(tmp_path, text)
    assert table.dtypes.astype(str).tolist() == ["str", "str", "int64"] and len(notes) == 2
    table, _ = read(tmp_path, text, keep=["patient_id"])
    assert table.dtypes.astype(str).tolist() == ["str", "int64", "int64"]


def test_compressed_and_parquet(tmp_path):
    frame = pd.DataFrame({"a": [1, None, 3], "b": ["x", None, "z"], "c": [True, False, None]})
    frame["a"] = frame["a"].astype("Int64")
    frame["d"] = pd.to_datetime(["2024-01-31", None, "2024-02-01"])
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    from_csv = read_table(path, Reading())
    frame.to_parquet(tmp_path / "rows.parquet")
    from_parquet = read_table(tmp_path / "rows.parquet", Reading())
    pd.testing.assert_frame_equal(from_csv, from_parquet, check_dtype=False)
    assert from_parquet.dtypes.astype(str).tolist()[:3] == ["Int64", "str", "boolean"]


def test_days_decimals_and_times_in_parquet(tmp_path):
    n = 40
    frame = pd.DataFrame({"day": [dt.date(2024, 1, 1) + dt.timedelta(k) for k in range(n)]})
    frame["price"] = [decimal.Decimal(k) / 100 for k in range(n)]
    frame["at"] = [None, *(dt.time(k % 24) for k in range(1, n))]
    frame["lists"] = [[k] for k in range(n)]
    frame.to_parquet(tmp_path / "rows.parquet")
    table = read_table(tmp_path / "rows.parquet", Reading(drop=["lists"]))
    assert table.dtypes.astype(str).tolist() == ["datetime64[s]", "float64", "str"]
    assert table["day"].dt.day[2] == 3 and table["price"][2] == 0.02
    assert table["at"].isna()[0] and table["at"][2] == "02:00:00"
    with pytest.raises(ValueError, match="'lists' holds values of type ndarray: .* --drop lists"):
        read_table(tmp_path / "rows.parquet", Reading())


def test_columns_of_equal_names(tmp_path):
    for header, wanted in {"a,a,a,b": "a a.1 a.2 b", "a,a , a,b": "a a.2 a.1 b"}.items():
        table, _ = read(tmp_path, f"{header}\n1,2,3,4\n")
        assert table.columns.tolist() == wanted.split()
        assert table.loc[0].tolist() == [1, 2, 3, 4]


def test_infinity_is_no_number():
    column, note = infer(pd.Series([*map(str, range(60)), "-inf", "1e999"], name="x"))
    assert column.isna().sum() == 2 and "2 values that are no numbers" in note


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n1,2\n")))
    assert read_table("-", Reading())["b"].tolist() == [2]


@pytest.mark.parametrize(
    "text,name,how,message",
    [
        ("", "rows.csv", {}, "empty"),
        ("a,b\n", "rows.csv", {}, "0 rows of 2 columns"),
        ("5.1,3.5\n4.9,3.0\n", "rows.csv", {}, "put a line of names"),
        ("a,b\n1,2\n1,2,3\n", "rows.csv", {}, "more fields"),
        ("a,b\n1,2,3\n1,2,3\n", "rows.csv", {}, "more fields"),
        ('a,b\n1,"2\n3,4\n', "rows.csv", {}, "never closed"),
        (gzip.compress(b"a,b\n1,2\n")[:-9], "rows.csv.gz", {}, "compressed file is damaged"),
        (b"PK\x03\x04\x00\x00", "rows.csv", {}, "no text"),
        (b"PK\x03\x04", "rows.xlsx", {}, "save it as CSV"),
        (b"PAR", "rows.parquet", {}, "no Parquet file"),
        ("a,b\n1,2\n", "rows.csv", {"drop": ["c"]}, r"--drop c: the columns are \['a', 'b'\]"),
        ("a\n1\n", "rows.csv", {"drop": ["a"]}, "0 columns"),
        (b"a\n\xff\n", "rows.csv", {"encoding": "utf-8"}, "--encoding utf-8"),
        ("a\n1\n", "rows.csv", {"encoding": "klingon"}, "--encoding klingon"),
    ],
)
def test_bad_files(tmp_path, text, name, how, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, text, name=name, **how)
    assert name in str(caught.value)


def test_columns_as_those_of_another_table(tmp_path):
    real = pd.DataFrame({"zip": ["01", "22"], "n": [1.5, 2.5], "d": pd.to_datetime(["2024"] * 2)})
    real["b"], real["gone"] = [True, False], np.nan
    text = "gone,d,n,zip,b,more\n,2024-05-01,3,22,1,x\n,2023-05-01,4,44,0,x\n"
    path = tmp_path / "other.csv"
    path.write_text(text)
    table = read_table(path, Reading(), like=real)
    assert table.columns.tolist() == real.columns.tolist()
    assert table["zip"].tolist() == ["22", "44"] and table["b"].tolist() == [True, False]
    assert table["d"][1] == pd.Timestamp("2023-05-01")
    path.write_text(text.replace(",3,", ",three,"))
    with pytest.raises(ValueError, match="'n' holds numbers in the other table, and here 'three'"):
        read_table(path, Reading(), like=real)
    path.write_text("zip,n\n1,2\n")
    with pytest.raises(ValueError, match=r"columns \['d', 'b', 'gone'\] of the other table"):
        read_table(path, Reading(), like=real)


# ------------------------------------------------------------------------------------ writing
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_rows_are_written_in_pieces_and_read_again(tmp_path, ending):
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": ["x", 'y,"', None, "z\t"]})
    frame["c"] = pd.to_datetime(["2024-01-31 10:00"] * 4)
    frame["late"] = pd.Series([None, None, "v", None], dtype=object)  # none in the first piece
    path = tmp_path / f"out{ending}"
    with open_table(path, force=False) as write:
        write(frame[:2])
        assert not path.exists()
        write(frame[2:])
    again = read_table(path, Reading())
    assert again["a"].tolist() == [1, 2, 3, 4] and again["c"].equals(
        frame["c"].astype(again["c"].dtype)
    )
    assert again["b"].dropna().str.strip().tolist() == ["x", 'y,"', "z"]
    assert again["late"].tolist()[2] == "v" and again["late"].isna().sum() == 3
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_end_of_the_name_says_the_separator(tmp_path):
    path = tmp_path / "rows.tsv.csv"
    with open_table(path, force=False) as write:
        write(pd.DataFrame({"a": [1], "b": [2]}))
    assert path.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_what_fails_leaves_no_file(tmp_path, ending):
    def fail():
        with open_table(tmp_path / f"out{ending}", force=False) as write:
            write(pd.DataFrame({"a": [1]}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())


def test_compressed_files_have_no_time_stamp(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        with open_table(tmp_path / name, force=False) as write:
            write(pd.DataFrame({"a": [1, 2]}))
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_outputs_are_checked_before_the_work(tmp_path, monkeypatch):
    there = tmp_path / "there.csv"
    there.write_text("kept")
    with pytest.raises(ValueError, match="the file exists; --force"):
        check_output(there, force=False)
    check_output(there, force=True)
    with pytest.raises(ValueError, match="there is no folder"):
        check_output(tmp_path / "absent" / "out.csv", force=False)
    with pytest.raises(ValueError, match="this is a folder"):
        check_output(tmp_path, force=True)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match="cannot be written to"):
        check_output(tmp_path / "out.csv", force=False)
    with pytest.raises(ValueError, match=r"must end in \.html"):
        check_output(there, force=True, endings=(".html",))
    with (
        pytest.raises(ValueError, match="must end in .csv"),
        open_table(tmp_path / "out.xls", force=False),
    ):
        pass
    assert there.read_text() == "kept"


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r'pip install "geomgen\[parquet\]"'):
        read_table(tmp_path / "rows.parquet", Reading())
    with (
        pytest.raises(ImportError, match=r'pip install "geomgen\[parquet\]"'),
        open_table(tmp_path / "out.parquet", force=False),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]
