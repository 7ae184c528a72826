"""The README's scaling table: fine-tuning steps of one chip to 256 through the TPU's compiler, by `negjax compile`.

    pip install libtpu
    python tools/scaling_table.py --folder /tmp/scaling          (a row that is stored there is not compiled again)

Each row is configs/finetune_negfull.py (captions and a question of each image, bfloat16) with another model, topology
and batch, and the settings that make it fit. Nothing runs on a TPU: memory and operations are the compiler's and the
model's, the time is what the chip's data sheet would allow at best.
"""

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parents[1] / "configs" / "finetune_negfull.py"
TOKENS = 14  # of a text: captions and options are a sentence
HEADINGS = (
    "model",
    "chips",
    "batch",
    "how",
    "GiB a chip",
    "of",
    "TFLOPs a chip",
    "MiB sent",
    "ms at best",
    "MFU at best",
)


@dataclass(frozen=True)
class ScalingCase:
    """A row of the table: model, chips, batch, and the settings that make it fit."""

    arch: str
    topology: str
    batch: int
    remat: str = "none"
    fsdp: int = 1
    micro_batches: int = 1
    chunk: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """Setting -> value, on top of CONFIG."""
        return {
            "model.arch": self.arch,
            "model.scan": "true",
            "model.remat": self.remat,
            "mesh.fsdp": self.fsdp,
            "loss.micro_batches": self.micro_batches,
            "loss.chunk": self.chunk,
            "sources.negfull.batch_size": self.batch,
        }

    @property
    def how(self) -> str:
        """The settings that make it fit, for people."""
        parts = [f"remat {self.remat}" if self.remat != "none" else "", f"fsdp {self.fsdp}" if self.fsdp > 1 else ""]
        parts += [f"{self.micro_batches} micro-batches" if self.micro_batches > 1 else ""]
        parts += [f"loss in chunks of {self.chunk}" if self.chunk else ""]
        return ", ".join(filter(None, parts)) or "plain"


CASES = (
    ScalingCase("ViT-B-32", "v5e:1x1", 256, remat="dots"),
    ScalingCase("ViT-B-32", "v5e:1x1", 4096, remat="dots", micro_batches=16, chunk=1024),
    ScalingCase("ViT-B-32", "v5e:4x4", 4096, remat="dots"),
    ScalingCase("ViT-B-32", "v5e:16x16", 32768, remat="dots"),
    ScalingCase("ViT-B-16", "v5e:16x16", 32768, remat="full"),
    ScalingCase("ViT-L-14", "v5e:4x4", 2048, remat="full", fsdp=16),
    ScalingCase("ViT-L-14", "v5e:16x16", 32768, remat="full", fsdp=16),
    ScalingCase("ViT-H-14", "v5p:4x4x4", 16384, remat="full", fsdp=64),
    ScalingCase("ViT-bigG-14", "v5p:4x4x4", 8192, remat="full", fsdp=64),
    ScalingCase("ViT-bigG-14", "v5e:16x16", 32768, remat="full", fsdp=256, micro_batches=4),
)


def compile_case(case: ScalingCase, folder: Path) -> dict[str, Any]:
    """The result of `negjax compile --json`, from the folder if it is there."""
    file = folder / f"{case.arch}_{case.topology.replace(':', '-')}_{case.batch}_{case.how.replace(' ', '-')}.json"
    if not file.exists():
        words = ["--config", str(CONFIG), "--topology", case.topology, "--tokens", str(TOKENS), "--json", str(file)]
        words += [f"--config.{key}={value}" for key, value in case.settings.items()]
        done = subprocess.run([sys.executable, "-m", "negjax.cli", "compile", *words], capture_output=True, text=True)
        if not file.exists():
            raise SystemExit(done.stderr)
    return json.loads(file.read_text())


def format_row(case: ScalingCase, compiled: dict[str, Any]) -> str:
    """The row as Markdown. compiled: of `compile_case`."""
    collectives = compiled["collectives"]
    sent = "?" if collectives is None else f"{sum(collective['bytes'] for collective in collectives) / 2**20:,.0f}"
    cells = [
        case.arch,
        f"{compiled['chips']} {case.topology.partition(':')[0]}",
        f"{case.batch:,}",
        case.how,
        f"{compiled['memory']['peak'] / 2**30:.1f}",
        f"{compiled['memory_of_chip'] / 2**30:.0f}{'' if compiled['fits'] else ': too much'}",
        f"{compiled['flops'] / 1e12:.2f}",
        sent,
        f"{1e3 * compiled['step_seconds']:,.0f}",
        f"{compiled['mfu']:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--at-once", type=int, default=1, help="number compiled at the same time; default: 1")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    with ThreadPoolExecutor(args.at_once) as threads:
        for case, compiled in zip(CASES, threads.map(lambda case: compile_case(case, args.folder), CASES)):
            print(format_row(case, compiled), flush=True)


if __name__ == "__main__":
    main()
