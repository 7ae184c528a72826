"""Shows that two source trees of negjax behave identically: the same commands in both, and what they write compared.

    python tools/compare_trees.py ../negjax_before . --work ../compare --data ../shared/data
    python tools/compare_trees.py ../negjax_before . --work ../compare --only quickstart,old

OLD and NEW are git checkouts; both run with this Python and the packages installed for it. The parts:

quickstart  `negjax quickstart --short`: sets, metrics, checkpoints, results, predictions and reports of all stages
negbench    NegBench's COCO sets, sets derived from them and a training set; the three tasks with random B/32 weights.
            Needs --data, a folder with negbench/images and coco_val2017; is skipped without it
convert     negjax -> open_clip -> negjax -> hf -> negjax for a CLIP, a SigLIP and a CLIPA, mixing, and an evaluation
old         what OLD wrote is used by NEW: config files, sets, checkpoints, and workdirs whose training NEW resumes, on
            one device and on two, which must give what OLD gave without a break

Compared to the byte: all files, what commands print, their exit codes; of results.json all but software, seconds and
memory, of metrics.jsonl all but timings and memory, of dataset_info.json all but the module that wrote it; of
checkpoints the arrays and the metadata beside them.
OLD's outputs are kept in the work folder (for this commit, these packages and this data folder), so that the next call
only runs NEW. So are programs compiled by XLA: if NEW compiles the same program, it is taken from there.
Exits with 1 after any difference, with 2 when OLD cannot be run.
"""

import argparse
import fcntl
import hashlib
import inspect
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

NOT_COMPARED = {  # file name -> fields that differ between any two runs or trees
    "dataset_info.json": {"moduleName"},  # of the module that wrote the set
    "results.json": {"software", "seconds", "peak_memory_bytes"},
    "metrics.jsonl": {
        *("steps_per_second", "examples_per_second", "step_seconds_p50", "step_seconds_p90", "data_wait_fraction"),
        *("model_flops_per_second", "mfu", "real_token_share", "memory_peak_bytes", "host_memory_peak_bytes"),
    },
}
PACKAGES = (  # OLD runs again if one of them has another version
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-learn", "grain", "regex", "ftfy"),
    *("tensorflow-datasets", "array-record", "pillow", "simplejpeg", "tokenizers"),
)
DROPPED = ("PYTHON", "JAX_", "XLA_", "NEGJAX_", "GLIBC_")  # beginnings of environment variables that are not passed on

# Writes random models in negjax's form to the folders clip, siglip, clipa and b32; run in OLD.
MODELS = """
import json
from dataclasses import replace
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.weights.write import write_negjax
try:
    from negjax.models.presets import default_preprocess
    from negjax.tokenizers.clip import Tokenizer
    from negjax.tokenizers.hf import HFTokenizer
except ImportError:  # trees before a weight family was one place
    from negjax.models.loaded import usual_preprocess as default_preprocess
    from negjax.tokenizer import Tokenizer
    from negjax.tokenizer_hf import HFTokenizer

words = "[PAD] [UNK] a an picture drawing of this image shows there is here cat dog".split()
model = {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(words)}, "unk_token": "[UNK]"}
unused = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
split = {"added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}}
own = HFTokenizer(json.dumps({"version": "1.0", **unused, **split, "model": model}), 16, clean="lower")
few = {"context_length": 16, "vocab_size": len(words)}
tiny, siglip = preset("tiny"), preset("ViT-B-32-SigLIP2-256")
average = replace(tiny.vision, norm_pre=False, pool="average", norm_after_pool=True)
for name, config, tokenizer in (
    ("clip", preset("tiny-quickgelu"), Tokenizer(77)),
    ("siglip", replace(siglip, text=replace(siglip.text, depth=1, **few)), own),
    ("clipa", replace(tiny, vision=average, text=replace(tiny.text, causal=False, pool="last", **few)), own),
    ("b32", preset("ViT-B-32-quickgelu"), Tokenizer(77)),
):
    config = config if name == "b32" else replace(config, name="custom")
    if name == "clipa" and hasattr(config, "family"):
        config = replace(config, family=name)
    write_negjax(LoadedModel(config, init_params(config, 0), default_preprocess(config), tokenizer), name)
"""


class CommandFailed(Exception):
    """A command did not exit as it should."""


@dataclass(frozen=True)
class Run:
    """The commands of a part in one tree.

    Attributes:
        tree: The checkout.
        folder: Where the commands run and write; relative, so that written paths are the same in both trees.
        ready: OLD's outputs, one folder per part.
        data: Real inputs.
        new: Whether the tree is NEW.
    """

    tree: Path
    folder: Path
    ready: Path
    data: Path | None
    new: bool

    def negjax(self, name: str, *words: object, code: str = "", fails: bool = False, devices: int = 1) -> None:
        """Runs `negjax WORDS`, or this code, and stores what it prints in printed/NAME.json.

        Args:
            name: Of the stored output.
            words: Arguments of the command.
            code: Python code to run instead.
            fails: Whether the command is expected to fail.
            devices: Number of CPU devices.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)} | {
            "PYTHONPATH": str(self.tree),
            "PYTHONHASHSEED": "0",
            "COLUMNS": "120",  # of a terminal
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_COMPILATION_CACHE_DIR": str(self.ready.parent / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        }
        command = [sys.executable, *(("-c", code) if code else ("-m", "negjax.cli")), *map(str, words)]
        printed = self.folder / "printed"
        printed.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        (printed / f"{name}.log").write_text(done.stderr)
        if (done.returncode != 0) != fails:
            last = done.stderr.splitlines()[-1:]
            raise CommandFailed(f"exit {done.returncode} in {self.tree} of {' '.join(command[1:])[:300]}: {last}")
        errors = [line for line in done.stderr.splitlines() if line.startswith("negjax: error:")]
        output = {"exit": done.returncode, "printed": done.stdout.splitlines(), "errors": errors}
        (printed / f"{name}.json").write_text(json.dumps(output, indent=1))


def inputs(run: Run) -> None:
    """Makes what both trees read: random weights and OLD's config files. Runs in OLD only."""
    run.negjax("models", code=MODELS)
    run.negjax("open_clip", "convert", "b32", "open_clip/b32.safetensors", "--to", "open_clip")
    shutil.copytree(run.tree / "configs", run.folder / "configs")


def quickstart(run: Run) -> None:
    run.negjax("quickstart", "quickstart", "--short", "--seed", 0, "--workdir", "quickstart")


def negbench(run: Run) -> None:
    assert run.data is not None
    files, to = run.data / "negbench" / "images", ("--data-dir", "data")
    media = ("--media-root", run.data / "coco_val2017", "--skip-missing")
    run.negjax("suite", "data", "suite", "--config", run.tree / "configs/eval_coco.py", "--files", files, *media, *to)
    captions = ("--kind", "captions", "--csv", files / "COCO_val_retrieval.csv", "--name", "train")
    shards = ("--train", "--short-side", 64, "--shard-rows", 2000, "--processes", 2)
    run.negjax("build", "data", "build", *captions, *shards, *media, *to)
    run.negjax("derive", "data", "derive", "--kind", "balanced", "--source", "coco_retrieval", "--name", "derived", *to)
    run.negjax("list", "data", "list", *to)
    tasks = ("--tasks", "coco_retrieval,coco_negated_retrieval,coco_mcq", "--out", "eval")
    run.negjax("eval", "eval", "--model", run.ready / "inputs/open_clip/b32.safetensors", *tasks, *to)


def convert(run: Run) -> None:
    scenes = run.ready / "quickstart/quickstart"
    for name in ("clip", "siglip", "clipa"):
        again, clipa = ("convert", f"{name}_back", f"{name}_hf", "--to", "hf"), name == "clipa"
        run.negjax(f"{name}1", "convert", run.ready / "inputs" / name, f"{name}_open_clip", "--to", "open_clip")
        run.negjax(f"{name}2", "convert", f"{name}_open_clip", f"{name}_back")
        run.negjax(f"{name}3", *again, fails=clipa)  # transformers has no CLIPA
        if not clipa:
            run.negjax(f"{name}4", "convert", f"{name}_hf", f"{name}_again")
        task = ("--tasks", "scenes_zeroshot", "--data-dir", scenes / "data", "--out", f"{name}_eval")
        run.negjax(f"{name}5", "eval", "--model", f"{name}_back", *task)
    run.negjax("mix", "convert", scenes / "negfull", "mix", "--mix", scenes / "pretrained", "--share", 0.25)


def old(run: Run) -> None:
    scenes, kept = run.ready / "quickstart/quickstart", run.ready / "old"
    every = {"data_dir": scenes / "data", "log_every": 1, "optim.warmup_steps": 2}
    every |= {"evaluation.tasks": ("scenes_zeroshot",), "evaluation.best": "scenes_zeroshot/accuracy"}
    negmcq = {"contrastive": 0.5, "hard_negatives": 2, "color_jitter": (0.4, 0.4, 0.4, 0.1), "gray_scale_prob": 0.2}
    negfull = {"steps": 8, "checkpoint_every": 4, "model.init_from": scenes / "pretrained", "optim.ema": 0.9}
    negfull |= {f"sources.negmcq.{key}": value for key, value in negmcq.items()}
    negfull |= {"sources.balanced.distill": 0.1, "loss.micro_batches": 2}
    pretrain = {"steps": 6, "checkpoint_every": 2, "optim.name": "lion", "model.remat": "dots", "model.scan": True}
    pretrain |= {"sources.captions.contrastive": 0.0, "sources.captions.sigmoid": 1.0}
    pretrain |= {"mesh.fsdp": 2, "loss.sharded": True, "loss.chunk": 16}
    for name, settings, devices in (("scenes_negfull", negfull, 1), ("scenes_pretrain", pretrain, 2)):
        if run.new:  # a run that was stopped before its last checkpoint
            shutil.copytree(kept / name, run.folder / name)
            shutil.rmtree(run.folder / name / "checkpoints" / str(settings["steps"]))
        changes = [f"--config.{key}={value}" for key, value in (every | settings).items()]
        config = ("--config", run.ready / f"inputs/configs/{name}.py", "--workdir", name)
        run.negjax(name, "train", *config, *changes, devices=devices)
    run.negjax("list", "data", "list", "--data-dir", scenes / "data")
    average = (kept / "scenes_negfull", "--ema", "--step", 4)
    models = {"average": average, "sigmoid": (kept / "scenes_pretrain",), "negfull": (scenes / "negfull",)}
    for name, model in models.items():
        tasks = ("--tasks", "scenes_mcq,scenes_truth_table", "--data-dir", scenes / "data", "--out", name)
        run.negjax(f"eval_{name}", "eval", "--model", *model, *tasks)


Part = Callable[[Run], None]
PARTS: tuple[Part, ...] = (quickstart, negbench, convert, old)


def compare(old: Path, new: Path) -> Iterator[tuple[str, str]]:
    """Yields folders, checkpoints and the files in them that differ, each with its difference; "" if there is none."""
    groups: dict[Path, set[Path]] = {}
    for root in (old, new):
        for place in (file.relative_to(root) for file in root.rglob("*") if file.is_file()):
            if place.name != "lock" and place.suffix != ".log":
                depth = place.parts.index("checkpoints") + 2 if "checkpoints" in place.parts else -1
                groups.setdefault(Path(*place.parts[:depth]), set()).add(place)
    for folder, files in sorted(groups.items()):
        if "cache" in folder.parts:
            a, b = _embeddings(old / folder), _embeddings(new / folder)
            differing = len(a ^ b)
            yield f"{folder}, {len(a)} embeddings", f"{len(b)} in NEW, {differing} not in both" if differing else ""
            continue
        if folder.parent.name == "checkpoints":
            before, after = _arrays(old / folder), _arrays(new / folder)
            found = ((name, array_difference(before.get(name), after.get(name))) for name in {**before, **after})
            yield f"{folder}, {len(before)} arrays", next((f"{name}, {what}" for name, what in found if what), "")
            files = {file for file in files if file.name in ("metadata", "metrics")}
        differences = {file: bytes_difference(_content(old / file), _content(new / file)) for file in sorted(files)}
        if equal := sum(not what for what in differences.values()):
            yield f"{folder}, {equal} files", ""
        yield from ((str(file), what) for file, what in differences.items() if what)


def bytes_difference(old: bytes | None, new: bytes | None) -> str:
    """Describes the first difference of two files (None: the file is missing); "" if they are equal."""
    if old == new:
        return ""
    if old is None or new is None:
        return f"only in {'NEW' if old is None else 'OLD'}"
    at = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    near, line = slice(max(0, at - 40), at + 40), old.count(b"\n", 0, at) + 1
    return f"byte {at}, line {line}: {old[near]!r} in OLD, {new[near]!r} in NEW"


def array_difference(old: Any, new: Any) -> str:
    """Describes how two arrays differ (None: the array is missing); "" if they are equal."""
    if old is None or new is None:
        return f"only in {'NEW' if old is None else 'OLD'}"
    if (old.dtype, old.shape) != (new.dtype, new.shape):
        return f"{old.dtype}{list(old.shape)} in OLD, {new.dtype}{list(new.shape)} in NEW"
    if old.tobytes() == new.tobytes():
        return ""
    return f"{(old != new).sum()} of {old.size} numbers differ, by up to {abs(old - new).max():.3g}"


def _content(path: Path) -> bytes | None:
    """The compared content of a file, None if it is missing."""
    dropped = NOT_COMPARED.get(path.name)
    if dropped is None or not path.exists():
        return path.read_bytes() if path.exists() else None

    def without_dropped(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in pairs if key not in dropped}

    text = path.read_text(encoding="utf-8")
    objects, indent = (text.splitlines(), None) if path.suffix == ".jsonl" else ([text], 1)
    return "\n".join(
        json.dumps(json.loads(text, object_pairs_hook=without_dropped), indent=indent) for text in objects
    ).encode()


def _embeddings(folder: Path) -> set[tuple[bytes, int]]:
    """Key and checksum of each embedding in a cache folder; their distribution over files depends on timing."""
    return {entry for file in folder.glob("*.keys.npy") for entry in np.load(file).tolist()}


def _arrays(folder: Path) -> dict[str, Any]:
    """All arrays of a checkpoint, read by Orbax without any code of negjax."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    logging.disable(logging.WARNING)  # Orbax logs each step
    import jax
    import orbax.checkpoint as ocp

    found = {}
    for item in (each for each in ("params", "training") if (folder / each).is_dir()):
        tree = ocp.PyTreeCheckpointHandler().metadata(folder / item).tree
        how = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        held = ocp.PyTreeCheckpointer().restore(folder / item, args=ocp.args.PyTreeRestore(restore_args=how))
        for path, value in jax.tree_util.tree_leaves_with_path(held):
            found[item + jax.tree_util.keystr(path)] = np.asarray(value)
    return found


def git(tree: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(tree), *words], check=True, capture_output=True, text=True).stdout.strip()


def run_part(run: Run, part: Part, key: str = "") -> None:
    """Runs a part, unless its outputs exist and were made with the same key."""
    stamp = run.folder.with_suffix(".key")
    if key and stamp.exists() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(run.folder, ignore_errors=True)
    run.folder.mkdir(parents=True)
    begin, before = time.monotonic(), os.times()
    part(run)
    stamp.write_text(key)
    seconds, after = time.monotonic() - begin, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"ran        {part.__name__} in {'NEW' if run.new else 'OLD'}: {seconds:.0f} s, {cpu:.0f} s of CPU")


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD", help="the checkout to compare with, without changes")
    parser.add_argument("new", type=Path, metavar="NEW", help="the checkout to check, with or without changes")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="for outputs; several may share it")
    parser.add_argument("--data", type=Path, metavar="DIR", help="real inputs, see above")
    parser.add_argument("--only", metavar="NAME[,NAME]", help="of the parts above; default: all")
    args = parser.parse_args()
    parts = {part.__name__: part for part in PARTS}
    names = args.only.split(",") if args.only else list(parts)
    if unknown := set(names) - parts.keys():
        parser.error(f"unknown part {', '.join(unknown)} in --only; choose one of {', '.join(parts)}")
    before, after, work = args.old.resolve(), args.new.resolve(), args.work.resolve()
    if changes := git(before, "status", "--porcelain"):
        parser.error(f"OLD, {before}, differs from its commit, by which its outputs are kept:\n{changes}")
    commit, data = git(before, "rev-parse", "HEAD"), args.data and args.data.resolve()
    ready, different = work / f"old-{commit[:12]}", 0
    ready.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=work))
    versions = [version(name) for name in PACKAGES]
    for name in names:
        part = parts[name]
        if part is negbench and not data:
            print(f"skipped    {name}: it needs --data")
            continue
        with (work / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another comparison may be running OLD
            for each in dict.fromkeys((inputs, quickstart, part)):
                source = MODELS + inspect.getsource(Run) + inspect.getsource(each)
                key = hashlib.sha256(f"{commit}{data}{sys.version}{versions}{source}".encode()).hexdigest()
                try:
                    run_part(Run(before, ready / each.__name__, ready, data, False), each, key)
                except CommandFailed as error:
                    parser.exit(2, f"OLD cannot be run: {error}\n")
        try:
            run_part(Run(after, folder / name, ready, data, True), part)
            found = compare(ready / name, folder / name)
        except CommandFailed as error:
            found = iter([("a command", str(error))])
        for what, difference in found:
            print(f"{'DIFFERENT' if difference else 'same':10} {name}/{what}{difference and ': '}{difference}")
            different += bool(difference)
    print(f"{different} differences, see {folder}" if different else "no difference")
    if not different:
        shutil.rmtree(folder)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
