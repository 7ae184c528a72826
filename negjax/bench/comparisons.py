"""What is compared with PyTorch: the one table. Each side prepares the same work in a process of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ComparedWork:
    """A work of three sides.

    Attributes:
        meaning: what is timed, for the report.
        targets: side -> the function that prepares it, "package.module:function".
        warmed: whether it runs before it is timed, besides the run whose results are compared.
    """

    meaning: str
    targets: dict[str, str]
    warmed: bool = True


CONTENDERS = ("plain", "smart", "negjax")  # in the order of their turns


def _sides(ours: str, plain: str, smart: str) -> dict[str, str]:
    targets = {"plain": plain, "smart": smart, "negjax": ours}
    return {side: f"negjax.bench.{target}" for side, target in targets.items()}


COMPARISONS = {
    "contrastive": ComparedWork(
        "training step on pairs",
        _sides("measures.compared:contrastive", "pytorch.train:plain_contrastive", "pytorch.train:smart_contrastive"),
    ),
    "negfull": ComparedWork(
        "training step on pairs, and as many questions about other images",
        _sides("measures.compared:negfull", "pytorch.train:plain_negfull", "pytorch.train:smart_negfull"),
    ),
    "negfull_shared": ComparedWork(
        "training step on images with a caption and a question each",
        _sides("measures.compared:shared", "pytorch.train:plain_shared", "pytorch.train:smart_shared"),
    ),
    "encode_text": ComparedWork(
        "encoding captions",
        _sides("measures.encode:captions", "pytorch.encode:plain_captions", "pytorch.encode:smart_captions"),
    ),
    "encode_image": ComparedWork(
        "encoding images",
        _sides("measures.encode:images", "pytorch.encode:plain_images", "pytorch.encode:smart_images"),
    ),
    "evaluation": ComparedWork(
        "the tasks as whole processes",
        _sides("whole:negjax_evaluation", "whole:plain_evaluation", "whole:smart_evaluation"),
        warmed=False,
    ),
}
