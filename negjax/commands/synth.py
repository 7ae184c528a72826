"""`negjax synth`: sets with negation from captions or labels, in stages."""

import argparse
import shlex
from functools import partial
from typing import TYPE_CHECKING, Any

from negjax.commands.parsing import Parser, command, path
from negjax.commands.server_flags import (
    ASKING_STAGES,
    SERVER_EXAMPLES,
    add_server_flags,
    asks,
    open_server,
    tell_requests,
)
from negjax.commands.verify_flags import add_verify_flags, open_verifier
from negjax.errors import NegjaxError
from negjax.synthesis.mediums import PICTURED

if TYPE_CHECKING:
    from negjax.datasets.labels.image_labels import LabelFile
    from negjax.datasets.sources.rows import RowSource
    from negjax.datasets.synth.propose import ProposeSettings
    from negjax.datasets.synth.shards import Share
    from negjax.datasets.synth.write import WriteSettings

EPILOG = (
    """\
example:
  negjax synth all --csv captions.csv --media-root photos --out work --name mine --data-dir data

The table has the columns filepath (or image) and captions, or one caption a row
with the rows of an image after each other. Labels (--labels: COCO's instances
JSON, a folder of Pascal VOC's XML, CheXpert's CSV, or a table) may take the place
of what captions name, or of captions altogether. `negjax synth STAGE --help`
lists the flags of a stage. A stage that was stopped goes on with the same command.

What changed is made again, shard by shard: a stage whose flags changed, and what
was made of a shard that was edited or made again. A shard that you edited is used
as it is and never overwritten: where it would have to be made again, the command
stops and names it; delete it to have it made again.
"""
    + SERVER_EXAMPLES
)
STAGE_EXAMPLES = {
    "extract": "negjax synth extract --csv captions.csv --media-root photos --out work",
    "propose": "negjax synth propose --out work --max-risk 0.01",
    "verify": "negjax synth verify --out work --media-root photos --detector owlvit-base-patch32",
    "write": "negjax synth write --out work --media-root photos --name mine --data-dir data",
    "check": "negjax synth check --out work --name mine --data-dir data",
    "all": "negjax synth all --csv captions.csv --media-root photos --out work --name mine --data-dir data",
}
BEFORE = {"propose": "extract", "verify": "propose", "write": "verify"}  # stage -> that whose rows it reads
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
        if getattr(args, "dry_run", False):
            _tell(args, {step.__name__.removeprefix("_") for step in steps})
            return 0
        for step in steps:
            step(args)
        return 0

    return run


def _tell(args: argparse.Namespace, stages: set[str]) -> None:
    """Tells what stages would make."""
    from negjax.datasets.synth.dry_run import sample_propose, sample_source, sample_stage, sample_write, tell_claims
    from negjax.runtime.streams import announce

    if "extract" in stages:
        source, labels = _open_source(args)
        run = sample_source(source, args.out, args.labelled, labels)
    else:
        run = sample_stage(args.out, BEFORE[min(stages, key=list(BEFORE).index)])
    if "propose" in stages:
        sample_propose(run, args.out, _propose_settings(args))
    if "verify" in stages:
        tell_claims(run)
    if "write" in stages:
        sample_write(run, _write_settings(args))
    for stage in ASKING_STAGES:
        if stage in stages:
            tell_requests(args, stage, run)
    for line in run.report():
        announce(line)


def _add_flags(parser: Parser, stages: set[str]) -> None:
    """Adds the flags of these stages, each once."""
    if "extract" in stages:
        source = parser.add_mutually_exclusive_group()
        source.add_argument(
            "--csv", type=path, metavar="FILE", help="a table: CSV, Parquet (also with pictures) or JSON lines"
        )
        source.add_argument("--json", type=path, metavar="FILE", help="COCO's captions_*.json")
        source.add_argument(
            "--webdataset", type=path, metavar="FILES", help="'DIR/*.tar' in quotes, or img2dataset's DIR"
        )
        separator = "between the cells of a CSV file; default: ,"
        parser.add_argument("--csv-separator", default=",", metavar="C", help=separator)
        objects = parser.add_mutually_exclusive_group()
        labelled = "take objects from the column positive_objects, as complete labels, instead of from the captions"
        objects.add_argument("--labelled", action="store_true", help=labelled)
        labels = (
            "take objects from COCO's instances JSON, a folder of Pascal VOC's XML, CheXpert's CSV, or a table with "
            "the columns filepath and positive_objects; without captions, sentences are written of these alone"
        )
        objects.add_argument("--labels", type=path, metavar="FILE", dest="objects_from", help=labels)
        uncertain = "what -1 in CheXpert's CSV counts as; default: unknown, neither affirmed nor denied"
        parser.add_argument("--uncertain", choices=("unknown", "present", "absent"), default="unknown", help=uncertain)
        blank = "what a blank in CheXpert's CSV counts as, which the report does not mention; default: unknown"
        parser.add_argument("--blank", choices=("unknown", "absent"), default="unknown", help=blank)
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
        add_verify_flags(parser, labels=stages == {"verify"})
    if stages & {"write", "check"}:
        parser.add_argument("--name", required=True, help="first part of the names of the sets")
        parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    if "write" in stages:
        share = "share of the images that only the test sets show; default: 0.2"
        parser.add_argument("--test-share", type=float, default=0.2, metavar="S", help=share)
        medium = "what the sentences are about; default: video for clips, else photo"
        parser.add_argument("--medium", choices=PICTURED, help=medium)
    if stages & {"verify", "write"}:
        parser.add_argument("--skip-missing", action="store_true", help="leave out images that are missing or broken")
    if stages != {"check"}:
        dry_run = "tell by a sample what would be made and how long it would take; write nothing"
        parser.add_argument("--dry-run", action="store_true", help=dry_run)
    add_server_flags(parser, stages)
    if stages & {"extract", "propose", "verify"}:
        beam = "run extract, propose and verify as Apache Beam pipelines with these options of Beam, in quotes"
        parser.add_argument("--beam", metavar="OPTIONS", help=beam)
    if stages <= {"extract", "propose", "verify"}:
        shard = "make part I of N, from 0/N, in processes that share --out; the files are the same for any N"
        parser.add_argument("--shard", default="0/1", metavar="I/N", help=shard)


def _share(args: argparse.Namespace) -> "Share":
    from negjax.datasets.synth.shards import parse_share

    try:
        return parse_share(getattr(args, "shard", "0/1"))
    except ValueError as error:
        raise NegjaxError(f"--shard {error}") from error


def _beam_options(args: argparse.Namespace) -> list[str] | None:
    """The words of --beam; None without it."""
    if args.beam is None:
        return None
    if getattr(args, "shard", "0/1") != "0/1":
        raise NegjaxError("--shard is for processes without --beam, whose engine shares the work")
    if args.server is not None:
        raise NegjaxError("--server is for processes without --beam: share the work among them with --shard")
    return shlex.split(args.beam)


def _extract(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.extract import run_extract
    from negjax.datasets.synth.server.extraction import ServerExtractor
    from negjax.datasets.synth.server.stage_plans import plan_extraction
    from negjax.runtime.streams import announce

    share = _share(args)
    source, labels = _open_source(args)
    if (options := _beam_options(args)) is not None:
        from negjax.datasets.synth.beam import extract_with_beam

        facts = extract_with_beam(source, args.out, options, labelled=args.labelled, labels=labels)
    else:
        count = partial(plan_extraction, source)
        with open_server(args, "extract", count, ServerExtractor.fallback) as server:
            facts = run_extract(
                source,
                args.out,
                labelled=args.labelled,
                labels=labels,
                reader=ServerExtractor(server) if server else None,
                share=share,
                progress=server is None,
            )
    announce(f"extract: {facts['captions']:,} captions of {facts['images']:,} images, in {facts['shards']:,} shards")
    for note in (*source.notes, *(labels.notes if labels else ())):
        announce(f"  {note}")
    if facts["unlabelled"]:
        announce(
            f"  {facts['unlabelled']:,} images have no labels in {args.objects_from}: nothing is called absent there"
        )
    if facts["malformed"]:
        announce(f"  left out {facts['malformed']:,} malformed rows; the first: {facts['first_malformed']}")


def _open_source(args: argparse.Namespace) -> "tuple[RowSource, LabelFile | None]":
    from negjax.datasets.labels.image_labels import label_source
    from negjax.datasets.labels.label_file import LabelReading, read_labels
    from negjax.datasets.sources.source_flags import SOURCE_FLAGS, SourceRequest

    labels = None
    if args.objects_from is not None:
        labels = read_labels(args.objects_from, LabelReading(args.uncertain, args.blank))
    flag = next((flag for flag in SOURCE_FLAGS if getattr(args, flag.name, None) is not None), None)
    if flag is None and labels is None:
        raise NegjaxError("nothing to start from: give captions as --csv, --json or --webdataset, or --labels")
    if (flag is None or flag.needs) and args.media_root is None:
        raise NegjaxError("--media-root not given: it is the folder of the images")
    if flag is None:
        assert labels is not None
        return label_source(labels, args.media_root), labels
    request = SourceRequest(
        "captions", getattr(args, flag.name), args.media_root or "", csv_separator=args.csv_separator
    )
    return flag.open(request), labels


def _summarize(args: argparse.Namespace, stage: str, share: "Share") -> None:
    """Tells what a stage made, if all of it is made."""
    from negjax.datasets.synth.summary import summarize_stage
    from negjax.runtime.streams import announce

    if share.count == 1:
        for line in summarize_stage(args.out, stage):
            announce(line)


def _propose(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.propose import run_propose
    from negjax.datasets.synth.server.proposals import ServerSuggester
    from negjax.datasets.synth.server.stage_plans import plan_proposals

    share = _share(args)
    if (options := _beam_options(args)) is not None:
        from negjax.datasets.synth.beam import propose_with_beam

        propose_with_beam(args.out, _propose_settings(args), options)
    else:
        with open_server(args, "propose", partial(plan_proposals, args.out), ServerSuggester.fallback) as server:
            suggester = ServerSuggester(server) if server else None
            run_propose(args.out, _propose_settings(args), suggester=suggester, share=share, progress=server is None)
    _summarize(args, "propose", share)


def _propose_settings(args: argparse.Namespace) -> "ProposeSettings":
    from negjax.datasets.synth.propose import ProposeSettings

    return ProposeSettings(args.absent, args.max_risk, args.temperature, args.seed)


def _verify(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.verify import run_verify

    share, options = _share(args), _beam_options(args)
    if asks(args, "verify"):
        _verify_by_server(args, share)
        return
    verifier = open_verifier(args)
    if options is not None and args.detector is None and args.clip is None:
        from negjax.datasets.synth.beam import verify_with_beam

        verify_with_beam(args.out, verifier, options)
    else:  # what looks at the images runs on the devices of this process
        run_verify(args.out, verifier, share=share)
    _summarize(args, "verify", share)


def _verify_by_server(args: argparse.Namespace, share: "Share") -> None:
    from negjax.datasets.sources.media_root import MediaRoot
    from negjax.datasets.synth.server.stage_plans import plan_verification
    from negjax.datasets.synth.server.vision import ServerVerifier
    from negjax.datasets.synth.verify import run_verify

    if given := next((name for name in ("labels", "detector", "clip") if getattr(args, name, None) is not None), ""):
        raise NegjaxError(f"--{given} and --server both check the claims: give one of the two")
    if args.media_root is None:
        raise NegjaxError("--media-root not given: it is the folder of the images")
    media = MediaRoot(args.media_root)
    count = partial(plan_verification, args.out, media, args.skip_missing, share)
    with open_server(args, "verify", count, ServerVerifier.fallback) as server:
        assert server is not None
        run_verify(args.out, ServerVerifier(server, media, args.skip_missing), share=share, progress=False)
    _summarize(args, "verify", share)


def _write(args: argparse.Namespace) -> None:
    from negjax.datasets.synth.server.paraphrasing import Paraphraser
    from negjax.datasets.synth.server.stage_plans import plan_paraphrases
    from negjax.datasets.synth.write import run_write
    from negjax.runtime.streams import announce

    with open_server(args, "write", partial(plan_paraphrases, args.out), Paraphraser.fallback) as server:
        rewriter = Paraphraser(server) if server else None
        notes = run_write(args.out, _write_settings(args), rewriter=rewriter, progress=server is None)
    for note in (*notes, *(rewriter.describe() if rewriter else ())):
        announce(note)


def _write_settings(args: argparse.Namespace) -> "WriteSettings":
    from negjax.datasets.synth.write import WriteSettings

    if args.media_root is None:
        raise NegjaxError("--media-root not given: it is the folder of the images")
    return WriteSettings(
        args.name, args.data_dir, args.media_root, args.test_share, args.seed, args.skip_missing, args.medium
    )


def _check(args: argparse.Namespace) -> None:
    from negjax.evaluation.made_sets import check_sets
    from negjax.runtime.streams import announce

    for line in check_sets(args.out, args.name, args.data_dir):
        announce(line)
