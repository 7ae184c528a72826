"""What a stage made, in a few lines for the user and for the card."""

from collections import Counter

from etils import epath

from negjax.datasets.synth.shards import STAGES, read_stage


def summarize_stage(out: epath.PathLike, stage: str) -> list[str]:
    """Describes the rows of stage propose or verify: objects, absences with their risk, remarks.

    Args:
        out: the folder of all stages.
        stage: a stage that ended.
    """
    images = empty = denied = claims = 0
    risk = 0.0
    present: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    remarks: Counter[str] = Counter()
    for row in read_stage(out, stage):
        images += 1
        empty += not row["positive_objects"]
        denied += bool(row["denied_objects"])
        present.update(row["positive_objects"])
        absent.update(row["negative_objects"])
        claims += len(row["risks"])
        risk += sum(row["risks"])
        if row["remark"]:
            remarks[row["remark"].split(":")[0]] += 1
    lines = [
        f"{stage}: {sum(present.values()) / max(images, 1):.1f} objects and {claims / max(images, 1):.1f} absent "
        f"ones an image; of the absent ones {risk / max(claims, 1):.2%} are there after all, by estimate",
        f"  most frequent: {_listed(present)}; absent: {_listed(absent)}",
    ]
    if stage == "verify":
        lines += _dropped(out)
    if denied:
        lines.append(f"  {denied:,} images have captions that deny an object themselves")
    if empty:
        lines.append(f"  of {empty:,} images no object is known")
    if remarks:
        told = ", ".join(f"{remark} ({count:,})" for remark, count in remarks.most_common(5))
        lines.append(f"  no proposals for {sum(remarks.values()):,} images: {told}")
    return lines


def _dropped(out: epath.PathLike) -> list[str]:
    """What stage verify dropped, and by what."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    checks: dict[str, None] = {}
    for counts, stage in ((before, STAGES[STAGES.index("verify") - 1]), (after, "verify")):
        for row in read_stage(out, stage):
            counts.update({column: len(row[column]) for column in ("negative_objects", "positive_objects")})
            checks |= {row["checked_by"]: None} if "checked_by" in row else {}
    absent, there = ((before[x] - after[x], before[x]) for x in ("negative_objects", "positive_objects"))
    return [
        f"  checked by {', '.join(checks)}: dropped {absent[0]:,} of {absent[1]:,} absent objects, which are there, "
        f"and {there[0]:,} of {there[1]:,} objects that are not"
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(name for name, _ in counts.most_common(5)) or "none"
