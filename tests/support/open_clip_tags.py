"""How open_clip prepares the images of each of its published weights: a table, so that tests need no open_clip.

`python tests/support/open_clip_tags.py` writes it anew from the installed open_clip; a parity test compares the two.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from negjax.media.images import Preprocess

FILE = Path(__file__).parent.parent / "golden/open_clip_tags.json"
FIELDS = ("mean", "std", "interpolation", "resize_mode")


def from_open_clip() -> dict[str, Any]:
    """{"ways": [settings, ...], "archs": {ARCH: {"image_size": ..., "tags": {TAG: index of its settings}}}}"""
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg

    ways: list[dict[str, Any]] = []
    archs: dict[str, dict[str, Any]] = {}
    for arch, tag in open_clip.list_pretrained():
        cfg = get_pretrained_cfg(arch, tag)
        way = json.loads(json.dumps({field: cfg[field] for field in FIELDS}))
        if way not in ways:
            ways.append(way)
        image_size = open_clip.get_model_config(arch)["vision_cfg"]["image_size"]
        archs.setdefault(arch, {"image_size": image_size, "tags": {}})["tags"][tag] = ways.index(way)
    return {"ways": ways, "archs": archs}


def preprocess_of_tags() -> dict[tuple[str, str], Preprocess]:
    """(ARCH, TAG) -> how its images are prepared, out of the table."""
    table = json.loads(FILE.read_text())
    return {
        (arch, tag): Preprocess(
            entry["image_size"],
            **{key: tuple(x) if isinstance(x, list) else x for key, x in table["ways"][way].items()},
        )
        for arch, entry in table["archs"].items()
        for tag, way in entry["tags"].items()
    }


def usual_preprocess() -> dict[str, Preprocess]:
    """ARCH, without "-quickgelu" -> how most of its weights prepare images."""
    counts: dict[str, Counter[Preprocess]] = defaultdict(Counter)
    for (arch, _), preprocess in preprocess_of_tags().items():
        counts[arch.removesuffix("-quickgelu")][preprocess] += 1
    return {arch: counter.most_common(1)[0][0] for arch, counter in counts.items()}


if __name__ == "__main__":
    data = from_open_clip()
    lines = [f"    {json.dumps(arch)}: {json.dumps(entry)}" for arch, entry in data["archs"].items()]
    ways = ",\n    ".join(json.dumps(way) for way in data["ways"])
    FILE.write_text(f'{{\n  "ways": [\n    {ways}\n  ],\n  "archs": {{\n' + ",\n".join(lines) + "\n  }\n}\n")
