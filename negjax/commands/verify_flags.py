"""Flags of `negjax synth verify` that say what checks the claims."""

import argparse
from typing import TYPE_CHECKING

from negjax.commands.parsing import Parser, path
from negjax.errors import NegjaxError

if TYPE_CHECKING:
    from negjax.datasets.synth.verify import Verifier
    from negjax.evaluation.verifiers.photos import Photos


def add_verify_flags(parser: Parser, *, labels: bool) -> None:
    """Adds the flags that say what checks the claims. labels: with that of labels."""
    by = parser.add_mutually_exclusive_group()
    if labels:
        told = "drop what labels refute, in any form that `negjax synth extract` reads"
        by.add_argument("--labels", type=path, metavar="FILE", help=told)
    detector = "drop what an OWL-ViT or OWLv2 refutes: its folder of Hugging Face, or hf-hub:ORG/NAME"
    by.add_argument("--detector", type=path, metavar="FOLDER", help=detector)
    clip = "drop what a CLIP model refutes by its calibrated presence; FILE is of `negjax calibrate --negation lcse`"
    by.add_argument("--clip", type=path, metavar="MODEL[,constants=FILE]", help=clip)
    threshold = "score above which an object is there; default: 0.1 with --detector, 0.5 with --clip"
    parser.add_argument("--threshold", type=float, metavar="S", help=threshold)
    batch = "images at a time, over all devices; default: 8 with --detector, 64 with --clip"
    parser.add_argument("--batch-size", type=int, metavar="N", help=batch)


def open_verifier(args: argparse.Namespace) -> "Verifier":
    """What the flags name; what computes is imported only where it is needed.

    Raises:
        NegjaxError: a value is wrong, or what it names cannot be read.
    """
    from negjax.datasets.labels.label_file import read_labels
    from negjax.datasets.synth.verify import CaptionsAlone, KnownLabels

    looks = args.detector is not None or args.clip is not None
    given = {"--threshold": args.threshold, "--batch-size": args.batch_size}
    settings = {flag[2:].replace("-", "_"): value for flag, value in given.items() if value is not None}
    if settings and not looks:
        unused = next(flag for flag, value in given.items() if value is not None)
        raise NegjaxError(f"{unused} is of a check that looks at the images: give --detector or --clip, too")
    if args.detector is not None:
        from negjax.evaluation.verifiers.by_detector import DetectorVerifier
        from negjax.weights.detector import read_detector

        photos = _photos(args)
        return DetectorVerifier(read_detector(args.detector), photos, **settings)
    if args.clip is not None:
        from negjax.evaluation.verifiers.by_clip import CLIPVerifier
        from negjax.weights.read import read_model

        name, _, constants = args.clip.partition(",")
        photos = _photos(args)
        return CLIPVerifier(read_model(name), photos, constants, **settings)
    labels = getattr(args, "labels", None)
    return CaptionsAlone() if labels is None else KnownLabels(read_labels(labels))


def _photos(args: argparse.Namespace) -> "Photos":
    from negjax.datasets.sources.media_root import MediaRoot
    from negjax.evaluation.verifiers.photos import Photos

    if args.media_root is None:
        raise NegjaxError("--media-root not given: it is the folder of the images")
    return Photos(MediaRoot(args.media_root), args.skip_missing)
