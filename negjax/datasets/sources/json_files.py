"""The JSON file of a benchmark, or of COCO's captions, as a source of rows; the benchmarks are in `table`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from etils import epath

from negjax.datasets.json_text import parse_json
from negjax.datasets.sources.coco_captions import COCO_KEYS, TITLE, coco_source
from negjax.datasets.sources.json_benchmark import Item, ItemReader, JsonBenchmark
from negjax.datasets.sources.json_lines import JsonLinesFile
from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import INVALID, Row, RowSource, SkipRow
from negjax.datasets.sources.table import JSON_BENCHMARKS
from negjax.datasets.sources.table_file import file_sha256
from negjax.errors import NegjaxError
from negjax.runtime.regular import read_regular


def json_source(path: epath.PathLike, media_root: epath.PathLike, split: str = "", shard_rows: int = 0) -> RowSource:
    """The JSON file of a benchmark, recognised by the keys of its items, or of COCO's captions.

    Args:
        path: The file, as published.
        media_root: Folder in which the images are found; see `MediaRoot`.
        split: Which of the file's splits; "" for a file that has one only.
        shard_rows: Rows per shard of COCO's captions, as in `table_source`.

    Raises:
        NegjaxError: The file cannot be read, is of no known benchmark, has no such split, or there is no such folder.
    """
    root, content = MediaRoot(media_root), _read_json(path)
    if isinstance(content, dict) and content.keys() >= COCO_KEYS:
        _refuse_split(split, TITLE)
        return coco_source(path, content, media_root, shard_rows)
    items = _items(content, path)
    benchmark = _recognise(items, path)
    items = _choose_split(items, benchmark, split, path)
    reader = benchmark.choose_reader(items)
    return RowSource(
        kind=benchmark.kind,
        name=f"{path} split {split}" if split else str(path),
        file=f"{PurePath(path).name}:{split}" if split else PurePath(path).name,
        sha256=file_sha256(path),
        media_root=str(media_root),
        benchmark=benchmark.title,
        fields=reader.fields,
        shards=(JsonShard(str(path), items, reader),),
        task_kind=reader.task_kind,
        find_media=root.find,
        metadata={"crops": True} if reader.crops else {},
    )


@dataclass(frozen=True)
class JsonShard:
    """All items of a JSON file; a record's `id` counts the records that are made of them."""

    path: str
    items: Sequence[Item]
    reader: ItemReader

    @property
    def rows(self) -> int:
        return len(self.items)

    def read(self, skip: SkipRow) -> Iterator[Row]:
        count = 0
        for index, item in enumerate(self.items):
            try:
                rows = self.reader.read_item(item, index)
            except (ValueError, KeyError) as error:
                fault = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
                skip(INVALID, index, f"{self.path} item {index}: {fault}")
                continue
            for row in rows:
                yield replace(row, record={"id": count, **row.record})
                count += 1


def holds_benchmark(path: epath.PathLike) -> bool:
    """Whether a file of JSON lines is a benchmark's, by the keys of its first line."""
    keys = set(JsonLinesFile(path).columns)
    return any(benchmark.keys <= keys for benchmark in JSON_BENCHMARKS)


def _read_json(path: epath.PathLike) -> Any:
    """The content of a file; a list of items for JSON lines."""
    try:
        text = read_regular(path).decode("utf-8-sig")
        is_lines = PurePath(path).suffix == ".jsonl"
        return [parse_json(line) for line in text.split("\n") if line.strip()] if is_lines else parse_json(text)
    except ValueError as error:
        raise NegjaxError(f"{path} cannot be read as JSON ({error})") from error


def _items(content: Any, path: epath.PathLike) -> list[Item]:
    """The items of a benchmark."""
    items = _items_of_object(content) if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        titles = ", ".join(benchmark.title for benchmark in JSON_BENCHMARKS)
        raise NegjaxError(
            f"{path} is not a list or an object of JSON objects, as the files of known benchmarks are: {titles}"
        )
    if not items:
        raise NegjaxError(f"{path} has no items")
    return items


def _items_of_object(content: dict[str, Any]) -> list[Any]:
    """The values of an object; or the one list of objects among them, where the others describe the benchmark."""
    lists = [value for value in content.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 else list(content.values())


def _choose_split(items: list[Item], benchmark: JsonBenchmark, split: str, path: epath.PathLike) -> list[Item]:
    """The items of a split. Raises NegjaxError unless the benchmark has it, or has no splits and none is given."""
    if not benchmark.split_key:
        _refuse_split(split, benchmark.title)
        return items
    splits = dict.fromkeys(str(item.get(benchmark.split_key)) for item in items)
    if split not in splits:
        problem = f"unknown --split {split!r}" if split else f"{benchmark.title} needs --split"
        raise NegjaxError(f"{path}: {problem}; choose one of {', '.join(splits)}")
    return [item for item in items if str(item.get(benchmark.split_key)) == split]


def _refuse_split(split: str, title: str) -> None:
    if split:
        raise NegjaxError(f"--split {split}: {title} has one split only, leave --split out")


def _recognise(items: Sequence[Item], path: epath.PathLike) -> JsonBenchmark:
    for benchmark in JSON_BENCHMARKS:
        if benchmark.keys <= items[0].keys():
            return benchmark
    known = "; ".join(f"{benchmark.title}: {', '.join(sorted(benchmark.keys))}" for benchmark in JSON_BENCHMARKS)
    raise NegjaxError(
        f"{path} is of no known benchmark: its items have {', '.join(items[0]) or 'no keys'}; known are {known}; "
        "give a table with a JSON object in each line as --csv"
    )
