"""The table of formats that data sets are built from; a new benchmark is one file and one line here."""

from negjax.datasets.sources.cells import PATH_COLUMNS
from negjax.datasets.sources.crepe import CREPE
from negjax.datasets.sources.factor import FACTOR
from negjax.datasets.sources.json_benchmark import JsonBenchmark
from negjax.datasets.sources.layouts import (
    CAPTION_LAYOUT,
    CAPTIONS_LAYOUT,
    KIND_COLUMN,
    NEGCAP_LAYOUT,
    OBJECT_COLUMNS,
    OPTION_COLUMN,
    PAIRS_LAYOUT,
    QUESTIONS_LAYOUT,
    TEXT_LAYOUT,
    TITLE_LAYOUT,
    TableLayout,
)
from negjax.datasets.sources.negrefcocog import NEGREFCOCOG
from negjax.datasets.sources.sugarcrepe import SUGARCREPE
from negjax.datasets.sources.valse import VALSE

TABLE_LAYOUTS: dict[str, TableLayout] = {
    "captions": CAPTIONS_LAYOUT,
    "caption": CAPTION_LAYOUT,
    "title": TITLE_LAYOUT,
    "text": TEXT_LAYOUT,
    "negcap": NEGCAP_LAYOUT,
    "questions": QUESTIONS_LAYOUT,
    "pairs": PAIRS_LAYOUT,
    "crepe": CREPE,
}
TABLE_KINDS = tuple(dict.fromkeys(layout.kind for layout in TABLE_LAYOUTS.values()))
JSON_BENCHMARKS: tuple[JsonBenchmark, ...] = (
    SUGARCREPE,
    VALSE,
    NEGREFCOCOG,
    FACTOR,
)
READ_COLUMNS = {
    *PATH_COLUMNS,
    *OBJECT_COLUMNS,
    KIND_COLUMN,
    *(column for layout in TABLE_LAYOUTS.values() for column in layout.columns),
}


def is_read(column: str) -> bool:
    """Whether a layout reads a column of this name."""
    return column in READ_COLUMNS or bool(OPTION_COLUMN.fullmatch(column))
