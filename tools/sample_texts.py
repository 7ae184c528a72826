"""Draws texts from sets that `negjax synth` made, for reading: grammar, and whether they are true of their image.

    python tools/sample_texts.py data mine --count 100 --seed 0

Of each set NAME_... in turn a row is drawn, and of the row a text that `synth` wrote; a truth table counts as one form,
negated captions as two: the image's own caption first, or the negation first. A line has the form, the text, whether it
is claimed to be true of the image, and what the captions of the image say.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from negjax.datasets.records import Record
from negjax.datasets.stored.store import list_sets, open_set

Text = tuple[str, str, bool, str]  # form, text, whether it is claimed to be true, captions of the image


def texts_of(form: str, record: Record, captions: str) -> Iterator[Text]:
    """What `synth` wrote in a row."""
    for text in record.get("negated_captions", ()):
        own_first = any(text.lower().startswith(caption.lower().rstrip(" .")) for caption in record["captions"])
        yield (f"caption, {'affirmation' if own_first else 'negation'} first", text, True, captions)
    for number, text in enumerate(record.get("options", ())):
        yield (form, text, number == record["answer"], captions)
    if form == "negated_retrieval":
        for text in record["captions"]:
            yield (form, text, True, captions)


def captions_by_image(data_dir: Path, name: str) -> dict[str, str]:
    """The captions of each image, by its digest."""
    names = {f"{name}_train", f"{name}_test"} & {line.name for line in list_sets(data_dir)}
    rows = (row for part in sorted(names) for row in open_set(data_dir, part).rows())
    return {row["media_sha256"]: " / ".join(row["captions"]) for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path, help="the folder of the sets")
    parser.add_argument("name", help="the first part of the names of the sets")
    parser.add_argument("--count", type=int, default=100, help="texts in all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    captions = captions_by_image(args.data_dir, args.name)
    by_form: dict[str, list[Text]] = {}
    for line in list_sets(args.data_dir):
        form = line.name.removeprefix(f"{args.name}_")
        if form == line.name or form in {"train", "test"}:
            continue
        for record in open_set(args.data_dir, line.name).rows():
            for text in texts_of(form, record, captions[record["media_sha256"]]):
                by_form.setdefault(text[0], []).append(text)
    forms = sorted(by_form)
    for number in range(args.count):
        texts = by_form[forms[number % len(forms)]]
        form, text, true, said = texts[int(rng.integers(len(texts)))]
        print(f"{number}\t{form}\t{'true' if true else 'false'}\t{text}\t[{said}]")


if __name__ == "__main__":
    main()
