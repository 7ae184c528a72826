"""`negjax data`: build, derive and list data sets."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from negjax.commands import derive, suite
from negjax.commands.parsing import command, path, show
from negjax.errors import NegjaxError

if TYPE_CHECKING:
    from negjax.datasets.build.evaluation_set import Built

DATA = """\
example:
  negjax data list --data-dir data

`negjax data COMMAND --help` tells more."""
KINDS = {  # what each is made of: one of these flags
    "captions": ("csv", "webdataset"),
    "negcap": ("csv", "webdataset"),
    "questions": ("csv", "webdataset"),
    "pairs": ("csv", "json", "webdataset"),
    "folder": ("folder", "tfds"),
}
ONLY_FOR = {
    "media_root": ("csv", "json"),
    "train": ("csv", "webdataset"),
    "split": ("tfds",),
    "classnames": ("folder", "tfds"),
    "templates": ("folder", "tfds"),
}
FOR_TRAINING = ("questions", "short_side", "processes", "shard_rows")
BUILD = """\
kinds, and what they are read from:
  captions   images or clips with captions: NegBench's retrieval files
  negcap     for training: captions and captions that negate
  questions  multiple choice: NegBench's MCQ files, 2 or more options
  pairs      a right and a wrong caption: a CSV file with the columns filepath,
             caption, negative_caption, CREPE's CSV files, or the JSON files of
             SugarCrepe, VALSE and NegRefCOCOg (boxes of an image)
  folder     zero-shot classification: a folder per class, or a TFDS data set

Sets for training (--train; always so for negcap and --webdataset) may have any
size: they are made in shards by several processes, and the same command goes on
after a stop. --webdataset reads shards as img2dataset writes them; the columns
above are keys of a sample's .json, its .txt is the caption.

examples:
  negjax data build --kind captions --csv COCO_val_retrieval.csv \\
      --media-root ~/coco --name coco_retrieval --data-dir data
  negjax data build --kind negcap --csv cc12m_negcap.csv \\
      --media-root ~/cc12m --short-side 224 --name negcap --data-dir data
  negjax data build --kind negcap --csv cc12m_negcap.csv \\
      --questions cc12m_negmcq.csv --media-root ~/cc12m --short-side 224 \\
      --skip-missing --name negfull --data-dir data
  negjax data build --kind captions --webdataset '~/cc12m/*.tar' \\
      --short-side 224 --name cc12m --data-dir data
  negjax data build --kind questions --csv COCO_val_mcq_llama3.1_rephrased.csv \\
      --media-root ~/coco --name coco_mcq --data-dir data
  negjax data build --kind questions --csv msr_vtt_mcq_rephrased_llama.csv \\
      --media-root ~/MSRVTT --name msrvtt_mcq --data-dir data
  negjax data build --kind pairs --csv my_pairs.csv \\
      --media-root ~/photos --name my_pairs --data-dir data
  negjax data build --kind pairs --json existence.json \\
      --media-root ~/valse --name valse_existence --data-dir data
  negjax data build --kind folder --folder ~/imagenet/val \\
      --classnames imagenet --name imagenet --data-dir data
  negjax data build --kind folder --tfds ~/tensorflow_datasets/cifar10/3.0.2 \\
      --split test --name cifar10 --data-dir data"""
LIST = """\
example:
  negjax data list --data-dir data"""


def add(commands: Any) -> None:
    """Adds what this file holds to the commands of the parser."""
    data = command(commands, "data", None, "build, derive and list data sets", DATA)
    of_data = data.add_subparsers(metavar="COMMAND", title="commands")
    each = command(
        of_data, "build", _data_build, "make a set of files: images or clips and what is said of them", BUILD
    )
    each.add_argument("--kind", required=True, choices=tuple(KINDS), help="what the files hold, see below")
    each.add_argument(
        "--csv", type=path, metavar="FILE", help="a CSV file; captions, negcap and questions as NegBench has them"
    )
    each.add_argument("--json", type=path, metavar="FILE", help="a JSON file of pairs as its benchmark published it")
    media_root = "images or clips: where the paths in the file, or the longest ends of them that exist, are found"
    each.add_argument("--media-root", type=path, metavar="DIR", help=media_root)
    each.add_argument("--folder", type=path, metavar="DIR", help="holds a folder of images per class")
    each.add_argument(
        "--tfds", type=path, metavar="DIR", help="a data set prepared by TFDS, .../NAME/VERSION; needs --split"
    )
    each.add_argument("--split", metavar="NAME", help="of the TFDS data set")
    tars = "WebDataset shards, 'DIR/*.tar' in quotes, for training"
    each.add_argument("--webdataset", type=path, metavar="FILES", help=tars)
    names = "names of the classes: imagenet, or a file with one a line; default: the folders' or labels' own"
    each.add_argument("--classnames", type=path, metavar="NAMES", help=names)
    prompts = "openai (80 prompts), simple (7), none, or a file with one a line, {} for the name; default: openai"
    each.add_argument("--templates", type=path, metavar="PROMPTS", help=prompts)
    each.add_argument("--name", required=True, help="name of the set")
    each.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="where sets are kept")
    negated = "whether the texts negate; default: by their words"
    each.add_argument("--negated", choices=("yes", "no"), help=negated)
    skip = "leave out rows with missing or broken media; for training, rows that cannot be understood too"
    each.add_argument("--skip-missing", action="store_true", help=skip)
    each.add_argument("--overwrite", action="store_true", help="replace a set of this name")
    training = each.add_argument_group("for training")
    training.add_argument("--train", action="store_true", help="make a set for training alone, of any size")
    asked = "a CSV file of kind questions: one for each image, in the same record; images without one are left out"
    training.add_argument("--questions", type=path, metavar="FILE", help=asked)
    small = "make images so small (224 for most models), as JPEG; by default they are stored as they are"
    training.add_argument("--short-side", type=int, metavar="PIXELS", help=small)
    training.add_argument("--processes", type=int, metavar="N", help="that make shards at once; default: one a core")
    rows = "rows of a shard; default: 10,000, or more where that would make more than 256 shards"
    training.add_argument("--shard-rows", type=int, metavar="N", help=rows)
    derive.add(of_data)
    suite.add(of_data)
    each = command(of_data, "list", _data_list, "show the sets of a folder", LIST)
    each.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="where sets are kept")


def _data_build(args: argparse.Namespace) -> int:
    read_from = _source_flag(args)
    choices = {
        "skip_missing": args.skip_missing,
        "overwrite": args.overwrite,
        "negated": None if args.negated is None else args.negated == "yes",
    }
    training = args.train or args.kind == "negcap" or read_from == "webdataset"
    if not training and (given := [_flag(name) for name in FOR_TRAINING if getattr(args, name) is not None]):
        raise NegjaxError(f"{', '.join(given)}: for sets for training alone, see --train")
    built = _build_for_training(args, choices) if training else _build(args, read_from, choices)
    print(f"{args.name}: {built.written:,} rows in {built.folder}")
    for note in built.notes:
        print(f"  {note}")
    return 0


def _build(args: argparse.Namespace, read_from: str, choices: dict[str, Any]) -> "Built":
    from negjax.datasets.build.evaluation_set import build
    from negjax.datasets.sources.files import csv_source, json_source
    from negjax.datasets.sources.folders import folder_source, tfds_source

    templates = args.templates or "openai"
    if read_from == "csv":
        source = csv_source(args.kind, args.csv, args.media_root)
    elif read_from == "json":
        source = json_source(args.json, args.media_root)
    elif read_from == "folder":
        source = folder_source(args.folder, args.classnames, templates)
    else:
        source = tfds_source(args.tfds, args.split, args.classnames, templates)
    return build(source, args.name, args.data_dir, **choices)


def _build_for_training(args: argparse.Namespace, choices: dict[str, Any]) -> "Built":
    from negjax.datasets.build.training_set import build_training_set
    from negjax.datasets.sources.joined_questions import with_questions
    from negjax.datasets.sources.parts import csv_parts, tar_parts

    for name in ("short_side", "processes", "shard_rows"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise NegjaxError(f"{_flag(name)} {value}: give 1 or more")
    rows = args.shard_rows or 0
    if args.webdataset is not None:
        source = tar_parts(args.kind, args.webdataset, rows)
    else:
        source = csv_parts(args.kind, args.csv, args.media_root, rows)
    if args.questions is not None:
        source = with_questions(source, args.questions)
    processes = args.processes or os.cpu_count() or 1
    return build_training_set(
        source, args.name, args.data_dir, short_side=args.short_side or 0, processes=processes, **choices
    )


def _source_flag(args: argparse.Namespace) -> str:
    """Which of the flags of KINDS is given. Raises NegjaxError unless the flags suit the kind."""
    wanted = KINDS[args.kind]
    given = [name for name in ("csv", "json", "folder", "tfds", "webdataset") if getattr(args, name) is not None]
    if len(given) != 1 or given[0] not in wanted:
        said = f", not {' and '.join(map(_flag, given))}" if given else ""
        raise NegjaxError(f"--kind {args.kind} takes {' or '.join(map(_flag, wanted))}{said}")
    for name, sources in ONLY_FOR.items():
        if getattr(args, name) not in (None, False) and given[0] not in sources:
            raise NegjaxError(f"{_flag(name)} goes with {' or '.join(map(_flag, sources))}, not with {_flag(given[0])}")
    needed = {"csv": "media_root", "json": "media_root", "tfds": "split"}.get(given[0])
    if needed and getattr(args, needed) is None:
        raise NegjaxError(f"{_flag(given[0])} needs {_flag(needed)} too")
    return given[0]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _data_list(args: argparse.Namespace) -> int:
    from rich import box
    from rich.table import Table

    from negjax.datasets.stored.store import list_sets

    table = Table(box=box.SIMPLE)
    for heading in ("set", "rows", "kind", "negated", "MB"):
        table.add_column(heading, justify="right" if heading in ("rows", "MB") else "left")
    for each in list_sets(args.data_dir):
        negated = "yes" if each.negated else "no"
        table.add_row(each.name, f"{each.n:,}", each.task_kind, negated, f"{each.bytes / 1e6:,.1f}")
    show(table)
    return 0
