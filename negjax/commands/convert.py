"""`negjax convert`: weights from PyTorch and back."""

import argparse
from typing import Any

from negjax.commands.parsing import add_model_flags, command, path

CONVERT = """\
examples:
  negjax convert ViT-B-32.pt weights/b32                                (OpenAI's archive states its architecture)
  negjax convert negclip.pth weights/negclip --arch ViT-B-32-quickgelu  (a bare state dict does not)
  negjax convert clip-vit-base-patch32/ weights/b32                     (a Hugging Face folder)
  negjax convert runs/negfull negfull.safetensors --to open_clip
  negjax convert runs/negfull negfull-hf --to hf
  negjax convert my-lora/ weights/merged --base clip-vit-base-patch32/    (an adapter of PEFT, merged into its base)
  negjax convert epoch_9.pt#state_dict_ema weights/ema                    (one of several models in a file)
  negjax convert runs/negfull weights/wise --mix weights/b32 --share 0.5   (WiSE-FT, between its start and its end)

SRC: OpenAI's, open_clip's or Hugging Face's CLIP or SigLIP (.pt .pth .bin .safetensors, sharded too, or a folder), a
workdir or checkpoint of negjax, or a name to download: hf-hub:ORG/NAME, open_clip:ARCH/TAG.
--activation overrides the activation of the weights; results then record both."""


def add(commands: Any) -> None:
    """Adds `negjax convert` to the commands of the parser."""
    parser = command(commands, "convert", _convert, "weights from PyTorch and back", CONVERT)
    parser.add_argument("src", type=path, metavar="SRC", help="the weights to read")
    parser.add_argument(
        "dst", type=path, metavar="DST", help="a new folder, or with --to open_clip a .safetensors or .pt file"
    )
    parser.add_argument("--to", default="negjax", choices=("negjax", "open_clip", "hf"), help="default: negjax")
    parser.add_argument(
        "--mix", type=path, default="", metavar="START", help="weights to mix SRC with, usually what it started from"
    )
    parser.add_argument("--share", type=float, metavar="A", help="of SRC, WiSE-FT's alpha: 1 is SRC, 0 is START")
    parser.add_argument(
        "--base", default="", metavar="WEIGHTS", help="the weights that SRC, an adapter (LoRA), belongs to"
    )
    add_model_flags(parser)


def _convert(args: argparse.Namespace) -> int:
    from negjax.runtime.streams import announce
    from negjax.weights.convert import convert

    result = convert(
        args.src,
        args.dst,
        args.to,
        step=args.step,
        arch=args.arch,
        activation=args.activation,
        ema=args.ema,
        mix=args.mix,
        share=args.share,
        base=args.base,
    )
    info = result.model.info
    note = f" (made with {info['activation_of_weights']})" if "activation_of_weights" in info else ""
    announce(
        f"{info['arch']}, activation {info['activation']}{note}, {result.parameters / 1e6:,.2f} million parameters"
    )
    announce(f"written: {args.dst}\nto load: {result.call}")
    return 0
