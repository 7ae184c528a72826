"""Fine-tunes converted weights on photographs with captions, from end to end, each step by its command.

    python tools/finetune_flickr.py --photos flickr8k --folder /tmp/flickr --arch ViT-B-32-quickgelu --steps 60

--photos holds captions.csv (image, caption; several rows an image) and images/, like Flickr8k. The objects of an image
are those of a short list that its captions name; all others count as absent. NegCap rows are the
captions with absent objects inserted by a few templates; NegMCQ rows are NegBench's templates. The weights
are --weights in open_clip's layout, or random ones that are written in it first. This shows that the steps
work together and that both losses fall on the training photographs; nothing about other photographs.
"""

import argparse
import csv
import json
import re
import shlex
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np

from negjax.cli import main as negjax
from negjax.media.images import Preprocess
from negjax.models.init import init_params
from negjax.models.loaded import LoadedModel
from negjax.models.presets import preset
from negjax.synthesis.captions import CaptionWriter
from negjax.synthesis.labelled_questions import build_mcq_questions
from negjax.synthesis.labels import build_labels
from negjax.tokenizers.clip import Tokenizer
from negjax.weights.write import write_open_clip

OBJECTS = {  # name -> words that name it
    "dog": "dogs?|puppy|puppies",
    "man": "man|men",
    "woman": "woman|women|lady",
    "boy": "boys?",
    "girl": "girls?",
    "ball": "balls?",
    "bench": "bench|benches",
    "bicycle": "bicycles?|bikes?",
    "boat": "boats?|kayak|canoe",
    "bridge": "bridges?",
    "car": "cars?",
    "fence": "fences?",
    "fountain": "fountains?",
    "frisbee": "frisbees?",
    "hat": "hats?|caps?",
    "helmet": "helmets?",
    "horse": "horses?",
    "pool": "pools?",
    "rope": "ropes?",
    "snow": "snow|snowy",
    "stick": "sticks?",
    "table": "tables?",
    "tree": "trees?",
}
NEGATED = 3  # captions of each, as NegCap has


def write_tables(photos: Path, folder: Path, seed: int) -> None:
    """negcap.csv, a row for each caption, and negmcq.csv, a row for each image of two objects or more."""
    captions = defaultdict(list)
    with (photos / "captions.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            captions[row["image"]].append(row["caption"])
    words = {name: re.compile(rf"\b({pattern})\b", re.IGNORECASE) for name, pattern in OBJECTS.items()}
    images = list(captions)
    labels = build_labels([{n for n, word in words.items() if word.search(" ".join(captions[i]))} for i in images])
    rng = np.random.default_rng(seed)
    writer = CaptionWriter(rng, held_out=False, medium="photo")
    with (folder / "negcap.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["filepath", "caption", "negative_captions"])
        for number, image in enumerate(images):
            for caption in captions[image]:
                absent = labels.draw_likely_absent(number, NEGATED, rng)
                rows.writerow([f"images/{image}", caption, [writer.insert_negation(caption, name) for name in absent]])
    with (folder / "negmcq.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image_path", "correct_answer", *(f"caption_{i}" for i in range(4)), "correct_answer_template"])
        for number, question in build_mcq_questions(labels, len(images), 1, rng):
            order = rng.permutation(len(question.options))
            options = [question.options[i] for i in order]
            answer = int(np.flatnonzero(order == question.answer)[0])
            rows.writerow([f"images/{images[number]}", answer, *options, question.kind])


def random_weights(arch: str, seed: int) -> LoadedModel:
    config = preset(arch)
    size = config.vision.image_size
    return LoadedModel(config, init_params(config, seed), Preprocess(size), Tokenizer(config.text.context_length))


def run(*words: object) -> None:
    """Runs a command of negjax and shows it as it would be typed."""
    arguments = [str(word) for word in words]
    print(f"$ negjax {shlex.join(arguments)}", flush=True)
    if status := negjax(arguments):
        raise SystemExit(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for all output; new or empty")
    parser.add_argument("--arch", default="ViT-B-32-quickgelu")
    parser.add_argument("--weights", type=Path, help="in open_clip's layout; default: random ones of --arch")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    folder = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(args.photos, folder, args.seed)
    weights = args.weights or folder / "open_clip"
    if args.weights is None:
        write_open_clip(random_weights(args.arch, args.seed), weights)
    run("convert", weights, folder / "start", *(["--arch", args.arch] if args.weights else []))
    size = preset(args.arch).vision.image_size
    build = ["--csv", folder / "negcap.csv", "--questions", folder / "negmcq.csv", "--media-root", args.photos]
    build += ["--short-side", size, "--name", "negfull", "--data-dir", folder / "sets"]
    run("data", "build", "--kind", "negcap", *build)
    settings = {
        "data_dir": folder / "sets",
        "model.init_from": folder / "start",
        "model.dtype": "float32",
        "sources.negfull.batch_size": args.batch_size,
        "sources.negfull.contrastive": 1.0,
        "sources.negfull.mcq": 1.0,
        "steps": args.steps,
        "optim.learning_rate": args.learning_rate,
        "optim.warmup_steps": args.steps // 10,
        "checkpoint_every": args.steps,
        "log_every": 1,
        "seed": args.seed,
    }
    config = Path(__file__).parents[1] / "configs" / "finetune_negfull.py"
    overrides = [f"--config.{key}={value}" for key, value in settings.items()]
    run("train", "--config", config, "--workdir", folder / "run", *overrides)

    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    tenth = max(1, len(lines) // 10)
    for name in ("negfull/contrastive", "negfull/mcq", "negfull/mcq_accuracy"):
        first, last = ([line[name] for line in part] for part in (lines[:tenth], lines[-tenth:]))
        print(
            f"{name}: {statistics.mean(first):.3f} in the first {tenth} steps, {statistics.mean(last):.3f} in the last"
        )


if __name__ == "__main__":
    main()
