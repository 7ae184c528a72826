"""`negjax data derive`: sets of questions and queries from the object labels of a set."""

import argparse
from typing import Any

from negjax.commands.parsing import command, path
from negjax.datasets.derive.kinds import DEFAULT_LEAST, DERIVED_KINDS, DerivedKind, kinds_with_reuse
from negjax.synthesis.mediums import NOUNS

_KIND_LINES = "\n".join(f"  {name:<12} {kind.summary}" for name, kind in DERIVED_KINDS.items())
DERIVE_HELP = f"""\
The source is a set built with --kind captions of a file with the column
positive_objects, such as NegBench's COCO_val_retrieval.csv. Its labels are
taken to be complete: an object that is not labelled is absent.

kinds:
{_KIND_LINES}

Train on one split and test on another: balanced has other sentences than the
rest, but the images are those of its source.

examples:
  negjax data build --kind captions --csv COCO_val_retrieval.csv \\
      --media-root ~/coco --name coco_retrieval --data-dir data
  negjax data derive --kind truth_table --source coco_retrieval \\
      --name coco_truth_table --data-dir data
  negjax data derive --kind queries --source coco_retrieval \\
      --name coco_queries --data-dir data --groups 200 --least 10"""


def add(of_data: Any) -> None:
    """Add `derive` to the commands of `negjax data`.

    Args:
        of_data: the subparsers of `negjax data`.
    """
    parser = command(
        of_data, "derive", _derive, "make a set of questions or queries from the labels of a set", DERIVE_HELP
    )
    parser.add_argument("--kind", required=True, choices=tuple(DERIVED_KINDS), help="what to make, see below")
    parser.add_argument("--source", required=True, metavar="NAME", help="the set whose labels and images are used")
    parser.add_argument("--name", required=True, help="name of the new set")
    parser.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="folder of the sets")
    parser.add_argument("--seed", type=int, default=0, help="decides everything that is drawn; default: 0")
    parser.add_argument("--groups", type=int, metavar="N", help=_groups_help())
    defaults = ", ".join(f"{DERIVED_KINDS[name].reuse} for {name}" for name in kinds_with_reuse())
    reuse = f"how many groups or questions an image may be in; default: {defaults}"
    parser.add_argument("--reuse", type=int, metavar="N", help=reuse)
    least = (
        "for queries: how many images must answer a query, and how many only its exclusion must rule out; "
        f"default: {DEFAULT_LEAST}, or what the labels allow if fewer"
    )
    parser.add_argument("--least", type=int, metavar="N", help=least)
    objects = "names of all objects, one per line, others are ignored; default: all that are labelled"
    parser.add_argument("--objects", type=path, metavar="FILE", help=objects)
    medium = "what the sentences are about; default: photo"
    parser.add_argument("--medium", choices=tuple(NOUNS), default="photo", help=medium)
    parser.add_argument("--overwrite", action="store_true", help="replace a set of this name")


def _groups_help() -> str:
    """Describe for each kind the parts that --groups counts, and its default."""

    def describe(name: str, kind: DerivedKind) -> str:
        return f"{name}: {kind.parts}, by default {kind.default_groups}"

    kinds = "; ".join(describe(name, kind) for name, kind in DERIVED_KINDS.items())
    return f"how many to make, an error if the labels do not allow that number ({kinds})"


def _derive(args: argparse.Namespace) -> int:
    """Derive the set and print its size and notes."""
    from negjax.datasets.derive.build import derive_set
    from negjax.datasets.derive.request import DeriveRequest
    from negjax.runtime.streams import announce

    request = DeriveRequest(args.kind, args.seed, args.groups, args.reuse, args.least, args.medium)
    derived = derive_set(request, args.source, args.name, args.data_dir, objects=args.objects, overwrite=args.overwrite)
    announce(
        f"{args.name}: {derived.rows:,} rows that show {derived.images:,} of {derived.source_images:,} images, "
        f"in {derived.folder}"
    )
    for note in derived.notes:
        announce(f"  {note}")
    return 0
