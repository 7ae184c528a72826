"""The measures of `negjax bench` by name: the one table. A measure is added with a line here and a function."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        meaning: what is timed, for `--help` and the report.
        target: the function that prepares it, "package.module:function".
        most_rounds: how often it is timed at most; 0 for as often as asked.
        warmed: whether it runs before it is timed.
    """

    meaning: str
    target: str
    most_rounds: int = 0
    warmed: bool = True


_HERE = "negjax.bench.measures"
MEASURES = {
    "contrastive": Measure("training step on image-caption pairs", f"{_HERE}.train:contrastive"),
    "mcq": Measure("training step on questions", f"{_HERE}.train:mcq"),
    "negfull": Measure("training step on images with a caption and a question each", f"{_HERE}.train:negfull"),
    "encode_image": Measure("encoding images, pixels in memory", f"{_HERE}.encode:images"),
    "encode_text": Measure("encoding captions, token ids in memory", f"{_HERE}.encode:captions"),
    "loss": Measure("NegFull's losses and their gradient, from embeddings", f"{_HERE}.loss:losses"),
    "input": Measure("pipeline: read, decode, resize, tokenize", f"{_HERE}.input:pipeline"),
    "checkpoint_save": Measure("a training state until it is on disk", f"{_HERE}.checkpoint:save"),
    "checkpoint_restore": Measure("a training state from disk", f"{_HERE}.checkpoint:restore"),
    "compile": Measure("compiling the NegFull step, no cache", f"{_HERE}.compilation:step", 2, warmed=False),
    "evaluation": Measure("the tasks, from stored sets to figures", f"{_HERE}.evaluation:tasks"),
}
