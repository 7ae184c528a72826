"""The formats of files of tables: CSV, JSON lines, Parquet. A file's first bytes say which it has, not its name."""

from functools import partial

from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.datasets.sources.csv_files import CsvFile
from negjax.datasets.sources.json_lines import MAX_LINE_BYTES, JsonLinesFile
from negjax.datasets.sources.table_file import TableFile
from negjax.datasets.sources.tars import UNPACK_WITH
from negjax.errors import NegjaxError
from negjax.runtime.regular import check_regular

TO_LINES = "to_json(NEW, orient='records', lines=True)"
OTHER_FORMATS = {  # the first bytes of a file -> what it is, and what to do
    **{
        start: f"it is compressed, and rows are read from their positions: unpack it with {program}"
        for start, program in UNPACK_WITH.items()
    },
    b"PK\x03\x04": "it is a ZIP archive: unpack it",
    b"\xd0\xcf\x11\xe0": "it is an Excel file: save it as CSV",
    b"ARROW1": f"it is an Arrow file: write lines: pandas.read_feather(FILE).{TO_LINES}",
    b"\x93NUMPY": "it is a NumPy array: write a CSV file",
    b"\x89HDF": "it is an HDF5 file: write a CSV file",
    b"SQLite format 3": "it is a database: write a CSV file",
    b"[": f"it is a JSON list: give a benchmark's file as --json, or write lines: pandas.read_json(FILE).{TO_LINES}",
}
OTHER_ARCHIVES = {  # the end of the name of a ZIP archive or compressed file that is more than that
    ".xlsx": "it is an Excel file: save it as CSV",
    ".npz": "it is a NumPy archive: write a CSV file",
    ".tar.gz": "it is a compressed tar file: unpack it with tar -xzf",
    ".tgz": "it is a compressed tar file: unpack it with tar -xzf",
}
TAR_MAGIC, TAR_MAGIC_OFFSET = b"ustar", 257


def open_table(path: epath.PathLike, separator: str = ",") -> TableFile:
    """Opens the file of a table.

    Args:
        path: The file, of any of the formats.
        separator: The character between the cells of a CSV file.

    Raises:
        NegjaxError: The file cannot be read or has another format, and what to do; or a separator is given for a file
            that is not CSV.
    """
    try:
        with check_regular(path).open("rb") as file:
            beginning = file.read(512)
            file.seek(0)
            is_json = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
            lines = iter(partial(file.readline, MAX_LINE_BYTES), b"")
            first_line = next(filter(bytes.strip, lines), b"") if is_json else b""
    except OSError as error:
        raise NegjaxError(f"cannot read {path}: {error.strerror or error}") from error
    if not is_json and not beginning.startswith(b"PAR1"):
        if remedy := _other_format(beginning, str(path)):
            raise NegjaxError(f"{path} is not a CSV file, Parquet or JSON lines: {remedy}")
        return CsvFile(path, separator)
    if separator != ",":
        raise NegjaxError(f"{path} is not a CSV file: leave --csv-separator out")
    if is_json:
        _check_is_lines(path, first_line)
        return JsonLinesFile(path)
    from negjax.datasets.sources.parquet_files import ParquetFile  # slow to import

    return ParquetFile(path)


def _other_format(beginning: bytes, path: str) -> str:
    """What a file of another format is, and what to do; "" if it may be CSV."""
    if beginning[TAR_MAGIC_OFFSET:].startswith(TAR_MAGIC):
        return "it is a tar file: give the shards of a training set as --webdataset, or unpack the table in it"
    remedy = next((remedy for start, remedy in OTHER_FORMATS.items() if beginning.startswith(start)), "")
    is_archive = beginning.startswith((b"\x1f\x8b", b"PK\x03\x04"))
    by_name = next((named for end, named in OTHER_ARCHIVES.items() if path.lower().endswith(end)), "")
    return by_name if is_archive and by_name else remedy


def _check_is_lines(path: epath.PathLike, first_line: bytes) -> None:
    """Raises NegjaxError if a file that begins with an object is one JSON document."""
    try:
        first = parse_json(first_line.decode("utf-8-sig"))
        is_document = isinstance(first.get("images"), list) and isinstance(first.get("annotations"), list)
    except ValueError:  # a line of its own that is malformed is named when it is read
        is_document = not first_line.rstrip().endswith(b"}")
    if is_document:
        raise NegjaxError(
            f"{path} is one JSON document, not a JSON object in each line: give COCO's captions or a benchmark's file "
            f"as --json, or write lines: pandas.read_json(FILE).{TO_LINES}"
        )
