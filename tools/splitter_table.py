"""Measures the splitter on NegBench's files: where denied and affirmed objects land, what it leaves alone, how fast.

    NEGJAX_TEST_DATA=FOLDER python tools/splitter_table.py [FOLDER] [--show N]

FOLDER holds `negbench/images`, `negbench/videos`, `negbench/templated` (the template form of the negated captions,
which says for each paraphrase what it denies), `negbench/splits` (the splits of SpaceVLM's language model) and
`flickr8k/captions.csv`. `--show N` prints N of the captions behind each figure that are not as expected.
The files are for measuring: rules are written for kinds of sentences, never for one of these.
"""

import argparse
import ast
import csv
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from negjax.language.splitter import split

TEMPLATE = re.compile(r"There is no ([\w ]+?) in the image\.?")
IRREGULAR = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "knife": "knives",
    "mouse": "mice",
}
# Other names of COCO's categories in paraphrases.
SYNONYMS = {
    "person": "people persons man men woman women anyone anybody human humans individual individuals pedestrian crowd",
    "car": "vehicle vehicles automobile automobiles",
    "dining table": "table tables",
    "tv": "television televisions tvs",
    "cell phone": "phone phones cellphone cellphones",
    "couch": "sofa sofas",
    "potted plant": "plant plants",
    "handbag": "bag bags purse purses",
    "bicycle": "bike bikes",
    "motorcycle": "motorbike motorcycles bike",
    "sports ball": "ball balls",
    "remote": "remotes remote control",
    "cup": "mug cups",
}


TWO_WORDS = (
    "dining table", "traffic light", "potted plant", "cell phone", "sports ball", "fire hydrant", "hot dog",
    "stop sign", "parking meter", "wine glass", "baseball bat", "baseball glove", "tennis racket", "teddy bear",
    "toy truck", "hair drier",
)  # fmt: skip


@dataclass
class Count:
    """How often something held, and examples where it did not."""

    name: str
    hits: int = 0
    total: int = 0
    misses: list[str] = field(default_factory=list)

    def add(self, holds: bool, example: str) -> None:
        self.hits += holds
        self.total += 1
        if not holds:
            self.misses.append(example)

    @property
    def share(self) -> float:
        return self.hits / self.total

    def __str__(self) -> str:
        return f"{self.name:<78} {100 * self.share:6.2f} % of {self.total:,}"


def denied_objects(folder: Path) -> tuple[Count, Count]:
    """The denied object lies in a denied concept and nowhere else; the affirmed objects of the split stay affirmed."""
    paraphrased = lists(folder / "images/COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv", "captions")
    templated = lists(folder / "templated/COCO_val_negated_retrieval_template.csv", "captions")
    count = Count("COCO negated captions: denied object in a denied concept and nowhere else")
    kept = Count("COCO negated captions: content words of the affirmed half that stay affirmed")
    for captions, templates in zip(paraphrased, templated, strict=True):
        for caption, template in zip(captions, templates, strict=True):
            denied = TEMPLATE.search(template)
            if denied is None:
                continue
            parsed, name = split(caption), denied[1]
            plain = TEMPLATE.sub("", template)
            is_named_anyway = mentions(plain, name)
            is_denied = any(mentions(concept, name) for concept in parsed.negated)
            is_elsewhere = mentions(parsed.affirmed, name) and not is_named_anyway
            count.add(is_denied and not is_elsewhere, f"[{name}] {shown(caption)}")
            for word in sorted(content_words(plain) & content_words(caption)):
                holds = word in content_words(parsed.affirmed) or mentions(word, name)
                kept.add(holds, f"[{word}] {shown(caption)}")
    return count, kept


def questions_of_coco(folder: Path) -> tuple[Count, Count]:
    """Options of COCO's questions: what SpaceVLM's split affirms is affirmed, what it denies is denied."""
    affirmed = Count("COCO MCQ options: affirmed objects stay affirmed")
    denied = Count("COCO MCQ options: denied object in a denied concept and nowhere else")
    for caption, (has, denies) in option_splits(
        folder / "images/COCO_val_mcq_llama3.1_rephrased.csv", folder / "splits/COCO_val_mcq_LLM_captions.csv"
    ):
        parsed = split(caption)
        for name in () if has in {"This is a photo", ""} else has.split(" and "):
            if mentions(caption, name) and name != denies:
                is_affirmed = mentions(parsed.affirmed, name) and not any(mentions(c, name) for c in parsed.negated)
                affirmed.add(is_affirmed, f"[{name}] {shown(caption)}")
        if denies and mentions(caption, denies) and denies != has:
            is_denied = any(mentions(c, denies) for c in parsed.negated) and not mentions(parsed.affirmed, denies)
            denied.add(is_denied, f"[{denies}] {shown(caption)}")
    return affirmed, denied


def agreement_on_videos(folder: Path) -> Count:
    """MSR-VTT options: both splits deny something or neither does, and the same word where it is named."""
    count = Count("MSR-VTT MCQ options: agrees with SpaceVLM's split on what is denied")
    for caption, (has, denies) in option_splits(
        folder / "videos/msr_vtt_mcq_rephrased_llama.csv", folder / "splits/msrvtt_val_mcq_LLM_captions.csv"
    ):
        parsed = split(caption)
        # Its "A photo of a person" beside an option without that word is what the model says of nothing.
        is_named = bool(denies) and mentions(caption, denies)
        if is_named:
            holds = any(mentions(concept, denies) for concept in parsed.negated)
        else:
            holds = not parsed.negated or bool(denies)
        count.add(holds, f"SpaceVLM: {has!r}, {denies!r}; {shown(caption)}")
    return count


def plain_captions(folder: Path) -> list[Count]:
    """Captions without negation are left alone."""
    counts = []
    for name, captions in {
        "COCO captions": flat(lists(folder / "negbench/images/COCO_val_retrieval.csv", "captions")),
        "MSR-VTT captions": flat(lists(folder / "negbench/videos/msr_vtt_retrieval.csv", "all_captions")),
        "Flickr8k captions": [text for row in rows(folder / "flickr8k/captions.csv") for text in flickr_texts(row)],
    }.items():
        count = Count(f"{name}: left alone")
        for caption in captions:
            parsed = split(caption)
            count.add(parsed.affirmed == caption and not parsed.negated, shown(caption))
        counts.append(count)
    return counts


def captions_per_second(captions: list[str], repeats: int = 7) -> float:
    """The rate on one core: of every 500 captions the best of a few passes, so that other programs count little."""
    seconds = 0.0
    for first in range(0, len(captions), 500):
        passes = []
        for _ in range(repeats):
            start = time.process_time()
            for caption in captions[first : first + 500]:
                split(caption)
            passes.append(time.process_time() - start)
        seconds += min(passes)
    return len(captions) / seconds


def rows(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def lists(file: Path, column: str) -> list[list[str]]:
    """A column of Python lists."""
    return [ast.literal_eval(row[column]) for row in rows(file)]


def flat(nested: Iterable[list[str]]) -> list[str]:
    """All texts of all rows."""
    return [text for texts in nested for text in texts]


def flickr_texts(row: dict[str, str]) -> list[str]:
    """The captions of a row of Flickr8k."""
    return [text for column, text in row.items() if "caption" in column.lower() and text]


def option_splits(questions: Path, splits: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each option with what SpaceVLM's language model says that it affirms and denies."""
    for row, halves in zip(rows(questions), rows(splits), strict=True):
        for k in range(4):
            has, denies = ast.literal_eval(halves[f"caption_{k}"])
            denied = denies.removeprefix("A photo of a").strip()
            yield row[f"caption_{k}"], (separate(has), separate(denied))


def separate(name: str) -> str:
    """COCO's names with their space: SpaceVLM's splits have "diningtable"."""
    for whole in TWO_WORDS:
        name = name.replace(whole.replace(" ", ""), whole)
    return name


@cache
def name_pattern(name: str) -> re.Pattern[str]:
    """A pattern for a name, its plural, its stem and its synonyms."""
    names = {name, IRREGULAR.get(name, name), *SYNONYMS.get(name, "").split()}
    stem = re.sub(r"(?:ing|y|e)$", "", name) if len(name) > 5 else name
    forms = "|".join(re.escape(form) for form in sorted(names, key=len, reverse=True))
    return re.compile(
        rf"\b(?:(?:{forms})(?:s|es)?|{re.escape(stem)}(?:s|es|ies|ing|ning|ting|ming|y|e|er|ed)?)\b", re.IGNORECASE
    )


def mentions(text: str, name: str) -> bool:
    """Whether a text names an object."""
    return name_pattern(name).search(text) is not None


@cache
def content_words(text: str) -> frozenset[str]:
    """The longer words of a text."""
    return frozenset(re.findall(r"[a-z]{4,}", text.lower())) - {"there", "with", "image", "that", "this"}


def shown(caption: str) -> str:
    """A caption with how it is read."""
    parsed = split(caption)
    return f"{caption!r} -> {parsed.affirmed!r} | {parsed.negated} {parsed.remark}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=os.environ.get("NEGJAX_TEST_DATA"), type=Path)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N captions that are not as expected")
    args = parser.parse_args()
    if args.folder is None:
        sys.exit("splitter_table: name the FOLDER with negbench/, or set NEGJAX_TEST_DATA")
    negbench = Path(args.folder) / "negbench"
    counts = [*denied_objects(negbench), *questions_of_coco(negbench), agreement_on_videos(negbench)]
    for count in [*counts, *plain_captions(Path(args.folder))]:
        print(count)
        step = max(1, len(count.misses) // args.show) if args.show else 1
        for example in count.misses[::step][: args.show]:
            print(f"    {example}")
    negated = flat(lists(negbench / "images/COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv", "captions"))
    plain = flat(lists(negbench / "images/COCO_val_retrieval.csv", "captions"))
    for name, captions in {"negated": negated, "plain": plain}.items():
        print(f"captions a second, COCO {name}: {captions_per_second(captions):,.0f}")


if __name__ == "__main__":
    main()
