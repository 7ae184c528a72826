"""Seconds and peak memory of `negjax convert`, for weights drawn at random.

    python tools/bench_convert.py --arch ViT-B-32-quickgelu --repeats 3

Each conversion runs in its own process; its peak memory is compared with 1.3 times the weights plus 1 GB.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import default_preprocess, preset
from negjax.tokenizers.clip import Tokenizer
from negjax.weights.write import write_open_clip

STEPS = (("open_clip", "negjax", "ours"), ("negjax", "open_clip", "back.safetensors"), ("negjax", "hf", "hf"))


def measure(src: Path, dst: Path, to: str) -> tuple[float, int]:
    """Seconds and peak bytes of one conversion, run in its own process."""
    begin = time.perf_counter()
    code = (
        "import resource, sys; from negjax.cli import main; code = main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "convert", str(src), str(dst), "--to", to]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - begin, int(out.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", default="ViT-B-32-quickgelu")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    config = preset(args.arch)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tokenizer = Tokenizer(config.text.context_length)
        model = LoadedModel(config, init_params(config, 0), default_preprocess(config), tokenizer)
        write_open_clip(model, folder / "source.safetensors")
        del model
        size = (folder / "source.safetensors").stat().st_size
        print(f"{args.arch}: {size / 1e6:,.0f} MB; allowed memory {(1.3 * size + 1e9) / 1e9:.2f} GB")
        names = {"open_clip": "source.safetensors", "negjax": "0-ours"}
        for source, to, name in STEPS:
            results = []
            for number in range(args.repeats):
                results.append(measure(folder / names[source], folder / f"{number}-{name}", to))
            seconds, peak = statistics.median(s for s, _ in results), max(peak for _, peak in results)
            spread = f"{min(s for s, _ in results):.1f} to {max(s for s, _ in results):.1f}"
            print(f"{source} -> {to}: median {seconds:.1f} s ({spread}), peak {peak / 1e9:.2f} GB")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 1.3 * size + 1e9, "over the allowed memory"


if __name__ == "__main__":
    main()
