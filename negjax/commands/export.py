"""`negjax export`: a model for ONNX Runtime, Immich, or anything that runs StableHLO."""

import argparse
from typing import Any

from negjax.commands.parsing import add_model_flags, command, path

EXPORT = """\
examples:
  negjax export runs/negfull negfull-onnx --to onnx
  negjax export clip-vit-base-patch32/ b32-half --to onnx --dtype float16
  negjax export runs/negfull negfull-immich --to onnx --layout immich       (DST/README.md says where Immich reads it)
  negjax export runs/negfull negfull-hlo --to stablehlo
  negjax export runs/negfull negfull-onnx --to onnx --check ~/photos --captions captions.txt

DST becomes a folder: the image and the text tower, which give unit vectors of a batch of any length, the tokenizer as
tokenizer.json, negjax.json and README.md. Before it appears, the written files are run on pictures and captions and
compared with the model: those of --check and --captions, else on scenes drawn for it. The largest difference is
printed; above 1e-4 (float16: 1e-2) it is an error, and nothing is written."""


def add(commands: Any) -> None:
    """Adds `export` to the commands of the parser."""
    parser = command(commands, "export", _export, "write a model as ONNX or StableHLO", EXPORT)
    parser.add_argument("model", type=path, metavar="MODEL", help="a training workdir, a checkpoint or PyTorch weights")
    parser.add_argument("dst", type=path, metavar="DST", help="a new folder")
    parser.add_argument("--to", required=True, choices=("onnx", "stablehlo"), help="the format")
    layout = "of the folder, with --to onnx: plain, or as Immich reads it; default: plain"
    parser.add_argument("--layout", choices=("plain", "immich"), default="plain", help=layout)
    dtype = "of matrices and tables, and of products with them; default: float32"
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help=dtype)
    parser.add_argument("--check", type=path, metavar="FOLDER", help="compare on all images below this folder")
    parser.add_argument("--captions", type=path, metavar="FILE", help="compare on this file's texts, one a line")
    add_model_flags(parser)
    parser.set_defaults(heavy=True)


def _export(args: argparse.Namespace) -> int:
    from pathlib import Path

    from negjax.export import check_inputs
    from negjax.export.export import ExportForm, check_form, export
    from negjax.runtime.streams import announce
    from negjax.weights.read import read_model

    form = ExportForm(args.to, args.layout, args.dtype)
    paths = check_inputs.find_pictures(Path(args.check)) if args.check else []
    captions = check_inputs.read_captions(args.captions) if args.captions else check_inputs.written_captions()
    check_form(args.dst, form)
    model = read_model(args.model, args.step, arch=args.arch, activation=args.activation, ema=args.ema)
    if paths:
        pictures, count = check_inputs.read_pictures(paths, model.preprocess), len(paths)
    else:
        pictures, count = check_inputs.drawn_pictures(model.preprocess), check_inputs.SCENES
    result = export(model, args.dst, form, pictures, count, captions)
    lines = [
        f"largest difference of a unit vector's numbers from negjax: {result.image_difference:.1e} over "
        f"{result.pictures:,} pictures, {result.text_difference:.1e} over {result.captions:,} captions"
    ]
    if result.images_per_second:
        written, own = result.images_per_second
        lines.append(
            f"images a second here: {written:.1f} from the file, {own:.1f} by negjax, ratio {written / own:.2f}"
        )
    if result.other_ids:
        lines.append(f"tokenizer.json gives {result.other_ids:,} of the captions other token ids than negjax")
    announce("\n".join([*lines, f"written: {args.dst}"]))
    return 0
