"""`negjax data derive`: sets of questions and queries made from the labels of a set."""

import argparse
from typing import Any

from negjax.commands.parsing import command, path

KINDS = ("truth_table", "questions", "balanced", "queries", "affirmation")  # of negjax.datasets.derive.kinds
DERIVE = """\
The source is a set built with --kind captions of a file with the column
positive_objects, such as NegBench's COCO_val_retrieval.csv. Its labels are
taken to be complete: what is not labelled is said to be absent.

kinds:
  truth_table  questions in fours that cannot be answered without the image
  questions    NegBench's multiple choice, in its own templates
  balanced     for training: captions, negated captions and truth tables
  queries      negated retrieval: "A but no B", judged by the labels
  affirmation  "This image includes A" or "does not include A"

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
    """Adds `derive` to the commands of `negjax data`."""
    each = command(of_data, "derive", _derive, "make a set of questions or queries from the labels of a set", DERIVE)
    each.add_argument("--kind", required=True, choices=KINDS, help="what to make, see below")
    each.add_argument("--source", required=True, metavar="NAME", help="the set whose labels and images are used")
    each.add_argument("--name", required=True, help="name of the new set")
    each.add_argument("--data-dir", type=path, required=True, metavar="DIR", help="where sets are kept")
    each.add_argument("--seed", type=int, default=0, help="decides all that is drawn; default: 0")
    groups = (
        "how many groups of four questions (truth_table, balanced), questions, queries or pairs of images "
        "(affirmation); an error if there are not so many; default: as many as there are, but up to 2,000 groups of "
        "truth_table, a quarter of the images for balanced, up to 500 queries"
    )
    each.add_argument("--groups", type=int, metavar="N", help=groups)
    reuse = "groups or questions an image may stand in; default: 4 for truth_table and balanced, 1 for questions"
    each.add_argument("--reuse", type=int, metavar="N", help=reuse)
    least = (
        "images that answer a query, and as many that only its exclusion rules out; default: 5, "
        "or what the labels allow if fewer"
    )
    each.add_argument("--least", type=int, metavar="N", help=least)
    objects = "names of all objects, one a line, others are ignored; default: all that are labelled"
    each.add_argument("--objects", type=path, metavar="FILE", help=objects)
    each.add_argument("--overwrite", action="store_true", help="replace a set of this name")


def _derive(args: argparse.Namespace) -> int:
    from negjax.datasets.derive.derive import derive
    from negjax.datasets.derive.kinds import DeriveRequest

    wish = DeriveRequest(args.kind, args.seed, args.groups, args.reuse, args.least)
    made = derive(wish, args.source, args.name, args.data_dir, objects=args.objects, overwrite=args.overwrite)
    print(f"{args.name}: {made.rows:,} rows that show {made.images:,} of {made.of:,} images, in {made.folder}")
    for note in made.notes:
        print(f"  {note}")
    return 0
