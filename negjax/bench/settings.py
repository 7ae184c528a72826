"""What `negjax bench` is asked to measure, and on what. No JAX: the processes of PyTorch read it too."""

from dataclasses import dataclass
from typing import Literal

TRAINING_SET = "bench_train"
# Sets of exactly one batch, for the steps that are compared with PyTorch's.
PAIRS, NEGFULL_PAIRS, QUESTIONS, SHARED = "pairs", "negfull_pairs", "negfull_questions", "negfull_shared"
COMPARED = 4  # embeddings that each side must reach
TASKS = ("bench_retrieval", "bench_negated_retrieval", "bench_mcq")


@dataclass(frozen=True)
class BenchSettings:
    """The size of the work, and where its inputs are.

    Attributes:
        folder: a temporary folder, for what is drawn and written.
        arch: a preset.
        dtype: type of the matrix products.
        batch: examples of a training step; images encoded at a time.
        batches: training batches that are taken in turns.
        negfull_batch: pairs, and questions, of a NegFull step that is compared with PyTorch's.
        images: most images that are encoded, and images of the drawn tasks.
        captions: most captions that are encoded.
        rounds: how often each work is timed.
        warmup: how often it runs before.
        fsdp: size of that axis of the mesh.
        tensor: likewise.
        seed: of weights and drawn inputs.
        data_dir: folder of the sets.
        train_set: the set that is trained on.
        tasks: the sets that are evaluated, and whose images and captions are encoded.
        torch_compile: whether the smart script of PyTorch may compile.
    """

    folder: str
    arch: str = "ViT-B-32"
    dtype: Literal["float32", "bfloat16"] = "float32"
    batch: int = 32
    batches: int = 4
    negfull_batch: int = 8
    images: int = 256
    captions: int = 2048
    rounds: int = 5
    warmup: int = 1
    fsdp: int = 1
    tensor: int = 1
    seed: int = 0
    data_dir: str = ""
    train_set: str = TRAINING_SET
    tasks: tuple[str, ...] = TASKS
    torch_compile: bool = True
