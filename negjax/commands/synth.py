"""`negjax synth`: sets with negation from captions or labels, in stages."""

import argparse
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import Parser, command, path
from negjax.commands.verify_flags import add_verify_flags, open_verifier
from negjax.errors import NegjaxError

if TYPE_CHECKING:
    from negjax.datasets.sources.rows import RowSource
    from negjax.datasets.synth.shards import Share

EPILOG = """\
example:
  negjax synth all --csv captions.csv --media-root photos --out work --name mine --data-dir data

The table has the columns filepath (or image) and captions, or one caption a row
with the rows of an image after each other. `negjax synth STAGE --help` lists
the flags of a stage. A stage that was stopped goes on with the same command.

What changed is made again, shard by shard: a stage whose flags changed, and what
was made of a shard that was edited or made again. A shard that you edited is used
as it is and never overwritten: where it would have to be made again, the command
stops and names it; delete it to have it made again."""
STAGE_EXAMPLES = {
    "extract": "negjax synth extract --csv captions.csv --media-root photos --out work",
    "propose": "negjax synth propose --out work --max-risk 0.01",
    "verify": "negjax synth verify --out work --media-root photos --detector owlvit-base-patch32",
    "write": "negjax synth write --out work --media-root photos --name mine --data-dir data",
    "check": "negjax synth check --out work --name mine --data-dir data",
    "all": "negjax synth all --csv captions.csv --media-root photos --out work --name mine --data-dir data",
}
SUMMARIES = {
    "extract": "the objects that captions name, and those that they deny",
    "propose": "absent objects that one could expect in each image",
    "verify": "drop absent objects that are there after all, and present ones that are not",
    "write": "the sets for training and for evaluation",
    "check": "duplicates, lengths, what the text alone gives away, and a card",
    "all": "all stages, one after the other",
}


def add(commands: Any) -> None:
    """Adds `synth` and its stages to the commands of the parser."""
    synth = command(commands, "synth", None, "make sets with negation from captions or labels", EPILOG)
    stages = synth.add_subparsers(metavar="STAGE", title="stages")
    runs = {
        "extract": (_extract,),
        "propose": (_propose,),
        "verify": (_verify,),
        "write": (_write,),
        "check": (_check,),
        "all": (_extract, _propose, _verify, _write, _check),
    }
    for name, steps in runs.items():
        parser = command(stages, name, _run(steps), SUMMARIES[name], f"example:\n  {STAGE_EXAMPLES[name]}")
        parser.add_argument("--out", type=path, required=True, metavar="DIR", help="folder of the stages' files")
        _add_flags(parser, {step.__name__.removeprefix("_") for step in steps})


def _run(steps: Any) -> Any:
    def run(args: argparse.Namespace) -> int:
        for step in steps:
            step(args)
        return 0

    return run


def _add_flags(parser: Parser, stages: set[str]) -> None:
    """Adds the flags of these stages, each once."""
    if "extract" in stages:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--csv", type=path, metavar="FILE", help="a table: CSV, Parquet or JSON lines")
        source.add_argument("--json", type=path, metavar="FILE", help="COCO's captions_*.json")
        source.add_argument("--webdataset", type=path, metavar="FILES", help="'DIR/*.tar', in quotes")
        separator = "between the cells of a CSV file; default: ,"
        parser.add_argument("--csv-separator", default=",", metavar="C", help=separator)
        labelled = "take objects from the column positive_objects, as complete labels, instead of from the captions"
        parser.add_argument("--labelled", action="store_true", help=labelled)
    if stages & {"extract", "verify", "write"}:
        parser.add_argument("--media-root", type=path, metavar="DIR", help="folder of the images")
    if "propose" in stages:
        parser.add_argument("--absent", type=int, default=64, metavar="N", help="of an image, at most; default: 64")
        risk = "largest estimated probability that an absent object is there after all; default: 0.01"
        parser.add_argument("--max-risk", type=float, default=0.01, metavar="P", help=risk)
        temperature = "small: the most expected objects; large: any; default: 0.5"
        parser.add_argument("--temperature", type=float, default=0.5, metavar="T", help=temperature)
    if stages & {"propose", "write"}:
        parser.add_argument("--seed", type=int, default=0, help="decides everything that is drawn; default: 0")
    if "verify" in stages:
        add_verify_flags(parser)
    if stages & {"write", "check"}:
        parser.add_argument("--name", required=True, help="first part of the names of the sets")
        parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    if "write" in stages:
        share = "share of the images that only the test sets show; default: 0.2"
        parser.add_argument("--test-share", type=float, default=0.2, metavar="S", help=share)
    if stages & {"verify", "write"}:
        parser.add_argument("--skip-missing", action="store_true", help="leave out images that are missing or broken")
    if stages <= {"extract", "propose", "verify"}:
        shard = "make part I of N, from 0/N, in processes that share --out; the files are the same for any N"
        parser.add_argument("--shard", default="0/1", metavar="I/N", help=shard)


def _share(args: argparse.Namespace) -> "Share":
    from negjax.datasets.synth.shards import parse_share

    try:
        return parse_share(getattr(args, "shard", "0/1"))
    except ValueError as error:
        raise NegjaxError(f"--shard {error}") from error


def _extract(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.extract import run_extract
    from negjax.runtime.streams import announce

    share = _share(args)
    facts = run_extract(_open_source(args), args.out, labelled=args.labelled, share=share)
    announce(f"extract: {facts['captions']:,} captions of {facts['images']:,} images, in {facts['shards']:,} shards")
    if facts["malformed"]:
        announce(f"  left out {facts['malformed']:,} malformed rows; the first: {facts['first_malformed']}")


def _open_source(args: argparse.Namespace) -> "RowSource":
    from negjax.datasets.sources.source_flags import SOURCE_FLAGS, SourceRequest

    flag = next(flag for flag in SOURCE_FLAGS if getattr(args, flag.name, None) is not None)
    if flag.needs and args.media_root is None:
        raise NegjaxError("--media-root not given: it is the folder of the images")
    request = SourceRequest(
        "captions", getattr(args, flag.name), args.media_root or "", csv_separator=args.csv_separator
    )
    return flag.open(request)


def _propose(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.propose import ProposeSettings, run_propose
    from negjax.datasets.synth.summary import summarize_stage
    from negjax.runtime.streams import announce

    share = _share(args)
    run_propose(args.out, ProposeSettings(args.absent, args.max_risk, args.temperature, args.seed), share=share)
    if share.count == 1:
        for line in summarize_stage(args.out, "propose"):
            announce(line)


def _verify(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.summary import summarize_stage
    from negjax.datasets.synth.verify import run_verify
    from negjax.runtime.streams import announce

    share = _share(args)
    run_verify(args.out, open_verifier(args), share=share)
    if share.count == 1:
        for line in summarize_stage(args.out, "verify"):
            announce(line)


def _write(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.write import WriteSettings, run_write
    from negjax.runtime.streams import announce

    if args.media_root is None:
        raise NegjaxError("--media-root not given: it is the folder of the images")
    settings = WriteSettings(args.name, args.data_dir, args.media_root, args.test_share, args.seed, args.skip_missing)
    for note in run_write(args.out, settings):
        announce(note)


def _check(args: argparse.Namespace) -> None:
    from negjax.evaluation.made_sets import check_sets
    from negjax.runtime.streams import announce

    for line in check_sets(args.out, args.name, args.data_dir):
        announce(line)
