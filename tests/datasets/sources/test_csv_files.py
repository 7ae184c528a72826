"""CSV files from any row on, against the csv module on the whole text."""

import csv
import random

import pytest

from negjax.datasets.sources.csv_files import CsvFile
from negjax.datasets.sources.table_file import RowStart
from negjax.errors import NegjaxError

CELLS = ["plain", "", "two\nlines", "old\rline", 'said "no"', "a, b", "é and 漢", " spaces ", "\n", "'"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rows_from_any_start_are_those_of_the_csv_module(tmp_path, ending, mark):
    draw = random.Random(0)
    path = tmp_path / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(mark)
        writer = csv.writer(out, lineterminator=ending)
        writer.writerow(["a", "b\nc"])
        for _ in range(200):
            writer.writerow(draw.choices(CELLS, k=2))
            if draw.random() < 0.2:
                out.write(ending)
    with path.open(encoding="utf-8-sig", newline="") as text:
        header, *expected = filter(None, csv.reader(text))
    file = CsvFile(path)
    assert file.columns == header
    assert [cells for _, cells in file.rows()] == expected
    places = [place for place, _ in file.rows()]
    assert [place.row for place in places] == list(range(len(expected)))
    starts, count = file.starts(7)
    assert (starts, count) == (places[::7], len(expected))
    for place in places[::13]:
        assert list(file.rows(place)) == list(file.rows())[place.row :]
        assert next(file.rows(place))[1] == expected[place.row]
    for place in places[::11]:  # a line is told as an editor counts them
        before = path.read_bytes()[: place.byte].decode("utf-8-sig")
        assert place.line == len(before.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def test_errors_from_the_middle_name_the_row_of_the_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,2\n\n3,4\n5,\xff\n")
    file = CsvFile(path)
    with pytest.raises(NegjaxError, match=r"x\.csv is not UTF-8 text"):
        list(file.rows())
    path.write_text('a,b\n1,2\n\n3,4\n5,"6\n')
    with pytest.raises(
        NegjaxError, match=r"x\.csv row 2 \(line 5\): unexpected end of data; fix this row: .*--skip-miss"
    ):
        list(CsvFile(path).rows(RowStart(row=1, byte=9, line=4)))
    path.write_text(f"a,b\n1,2\n3,{'x' * 131_073}\n")
    with pytest.raises(NegjaxError, match=r"x\.csv row 1 \(line 3\): field larger .*; fix this row: .* cannot skip it"):
        list(CsvFile(path).rows())
    with pytest.raises(NegjaxError, match="cannot read"):
        _ = CsvFile(tmp_path / "absent.csv").columns
    for encoding in ("utf-16", "utf-16-le"):
        path.write_text("a,b\n1,2\n", encoding=encoding)
        with pytest.raises(NegjaxError, match=r"x\.csv is not UTF-8 text \(.*\): save it as UTF-8"):
            _ = CsvFile(path).columns
    path.write_text("")
    assert CsvFile(path).columns == []
    assert list(CsvFile(path).rows()) == []
