"""`negjax data build`: a set from files; its flags follow from `negjax.datasets.sources.source_flags`."""

import argparse
import os
import textwrap
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import Parser, command, path
from negjax.errors import NegjaxError

if TYPE_CHECKING:
    from negjax.datasets.sources.source_flags import SourceFlag

KIND_HELP = {
    "captions": "images or clips with captions: NegBench's retrieval files; COCO's captions_*.json as --json",
    "negcap": "for training: captions and captions that negate",
    "questions": "multiple choice: NegBench's MCQ files, 2 or more options",
    "pairs": "a right and a wrong caption: a table with the columns filepath, caption, negative_caption, "
    "or one of CREPE's",
    "folder": "zero-shot classification: a folder per class, or a TFDS data set",
}
# These go with some source flags only.
SOURCE_OPTIONS = ("media_root", "csv_separator", "train", "split", "classnames", "templates")
TRAINING_OPTIONS = ("questions", "short_side", "processes", "shard_rows")
EPILOG = """\
kinds, and the files they are read from:
{kinds}

--csv takes the same table as CSV, Parquet or JSON lines: a JSON object with
these columns in each line; lists may be real ones there.

Sets for training (--train; always so for negcap and --webdataset) may have any
size: they are built in shards by several processes, and the same command
resumes after a stop. --webdataset reads shards as img2dataset writes them; the
columns above are keys of a sample's .json, its .txt is the caption.

examples:
  negjax data build --kind captions --csv COCO_val_retrieval.csv \\
      --media-root ~/coco --name coco_retrieval --data-dir data
  negjax data build --kind captions --json captions_val2017.json \\
      --media-root ~/coco/val2017 --name coco_captions --data-dir data
  negjax data build --kind negcap --csv cc12m_negcap.parquet \\
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


def add(commands: Any) -> None:
    """Adds `build` to the commands of `negjax data`."""
    from negjax.datasets.sources.source_flags import SOURCE_FLAGS

    summary = "make a set from files: images or clips with texts or labels"
    parser = command(commands, "build", _build, summary, EPILOG.format(kinds=_describe_kinds()))
    parser.add_argument("--kind", required=True, choices=tuple(KIND_HELP), help="what the files hold, see below")
    for source in SOURCE_FLAGS:
        parser.add_argument(f"--{source.name}", type=path, metavar=source.metavar, help=source.help)
    media_root = "folder of the images or clips; a path in the file is looked up by its longest suffix that exists here"
    parser.add_argument("--media-root", type=path, metavar="DIR", help=media_root)
    separator = "the character between the cells of the CSV file, \\t for tab; default: a comma"
    parser.add_argument("--csv-separator", metavar="CHARACTER", help=separator)
    parser.add_argument("--split", metavar="NAME", help="split of the TFDS data set, or of a benchmark with several")
    names = "names of the classes: imagenet, or a file with one per line; default: those of the folders or labels"
    parser.add_argument("--classnames", type=path, metavar="NAMES", help=names)
    prompts = "openai (80 prompts), simple (7), none, or a file with one per line, {} for the name; default: openai"
    parser.add_argument("--templates", type=path, metavar="PROMPTS", help=prompts)
    parser.add_argument("--name", required=True, help="name of the set")
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    negated = "whether the texts negate; default: by their words"
    parser.add_argument("--negated", choices=("yes", "no"), help=negated)
    skip = "skip rows with missing or broken media; for training, malformed rows too"
    parser.add_argument("--skip-missing", action="store_true", help=skip)
    parser.add_argument("--overwrite", action="store_true", help="replace a set of this name")
    _add_training_flags(parser)


def _add_training_flags(parser: Parser) -> None:
    group = parser.add_argument_group("for training")
    group.add_argument("--train", action="store_true", help="make a set for training only, of any size")
    questions = "a table of kind questions: one for each image, in the same record; images without one are skipped"
    group.add_argument("--questions", type=path, metavar="FILE", help=questions)
    short_side = "shrink images to this short side (224 for most models), as JPEG; default: store them as they are"
    group.add_argument("--short-side", type=int, metavar="PIXELS", help=short_side)
    group.add_argument("--processes", type=int, metavar="N", help="processes that build shards; default: one per core")
    shard_rows = "rows per shard; default: 10,000, or more where that would make more than 256 shards"
    group.add_argument("--shard-rows", type=int, metavar="N", help=shard_rows)


def _describe_kinds() -> str:
    """The help text on each kind, with the benchmarks that publish JSON files of that kind."""
    from negjax.datasets.sources.table import JSON_BENCHMARKS

    lines = []
    for kind, text in KIND_HELP.items():
        titles = [benchmark.title for benchmark in JSON_BENCHMARKS if benchmark.kind == kind]
        text += f"; the JSON files of {', '.join(titles)}" if titles else ""
        lines += textwrap.wrap(f"{kind:<10} {text}", 79, initial_indent="  ", subsequent_indent=" " * 13)
    return "\n".join(lines)


def _build(args: argparse.Namespace) -> int:
    from negjax.datasets.sources.source_flags import SourceRequest
    from negjax.runtime.streams import announce

    source_flag = _choose_source(args)
    training = args.train or args.kind == "negcap" or source_flag.training_only
    _check_training_flags(args, training)
    source = source_flag.open(
        SourceRequest(
            kind=args.kind,
            path=getattr(args, source_flag.name),
            media_root=args.media_root or "",
            split=args.split or "",
            classnames=args.classnames,
            templates=args.templates or "openai",
            shard_rows=args.shard_rows or 0,
            csv_separator="," if args.csv_separator is None else args.csv_separator,
        )
    )
    options = {
        "skip_missing": args.skip_missing,
        "overwrite": args.overwrite,
        "negated": None if args.negated is None else args.negated == "yes",
    }
    if training:
        from negjax.datasets.build.training_set import build_training_set
        from negjax.datasets.sources.joined_questions import with_questions

        if args.questions is not None:
            source = with_questions(source, args.questions)
        processes = args.processes or os.cpu_count() or 1
        short_side = args.short_side or 0
        built = build_training_set(
            source, args.name, args.data_dir, short_side=short_side, processes=processes, **options
        )
    else:
        from negjax.datasets.build.evaluation_set import build_evaluation_set

        built = build_evaluation_set(source, args.name, args.data_dir, **options)
    announce(f"{args.name}: {built.written:,} rows in {built.folder}")
    for note in built.notes:
        announce(f"  {note}")
    return 0


def _choose_source(args: argparse.Namespace) -> "SourceFlag":
    """The source flag that is given; raises NegjaxError unless there is exactly one that suits the other flags."""
    from negjax.datasets.sources.source_flags import SOURCE_FLAGS

    suited = [source for source in SOURCE_FLAGS if args.kind in source.kinds]
    given = [source for source in SOURCE_FLAGS if getattr(args, source.name) is not None]
    if len(given) != 1 or given[0] not in suited:
        instead = f", not {' and '.join(_flag(source.name) for source in given)}" if given else ""
        raise NegjaxError(f"--kind {args.kind} takes {_either(suited)}{instead}")
    (source,) = given
    for name in SOURCE_OPTIONS:
        if getattr(args, name) not in (None, False) and name not in source.needs + source.allows:
            takers = [other for other in SOURCE_FLAGS if name in other.needs + other.allows]
            raise NegjaxError(f"{_flag(name)} goes with {_either(takers)}, not with {_flag(source.name)}")
    for name in source.needs:
        if getattr(args, name) is None:
            raise NegjaxError(f"{_flag(source.name)} needs {_flag(name)} too")
    return source


def _check_training_flags(args: argparse.Namespace, training: bool) -> None:
    """Raises NegjaxError for flags that only training sets have, and for numbers below 1."""
    given = [name for name in TRAINING_OPTIONS if getattr(args, name) is not None]
    if given and not training:
        raise NegjaxError(f"{', '.join(map(_flag, given))}: only for training sets, see --train")
    for name in ("short_side", "processes", "shard_rows"):
        if (value := getattr(args, name)) is not None and value < 1:
            raise NegjaxError(f"{_flag(name)} {value}: give 1 or more")


def _either(sources: "list[SourceFlag]") -> str:
    return " or ".join(_flag(source.name) for source in sources)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
