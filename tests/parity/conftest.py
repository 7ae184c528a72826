"""Comparisons with PyTorch's CLIP stack, which is imported here first, offline and so that it imports at all.

A test file in this folder begins with

    pytestmark = pytest.mark.parity
    pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")

before it imports open_clip or transformers: where PyTorch is missing it is skipped and says why.
"""

import importlib.util
import os
import sys

import jax
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported; otherwise names are looked up for a minute
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

OPERATORS = ("nms", "qnms")
_kept = []  # the definitions below last as long as this


@pytest.fixture(autouse=True)
def exact_products():
    """Products of float32 matrices in float32, on any device."""
    with jax.default_matmul_precision("float32"):
        yield


def import_torchvision() -> None:
    """Import torchvision, which open_clip and transformers want, even if its binary was built for another PyTorch.

    torchvision from PyPI is built for CUDA and doesn't load beside a PyTorch for the CPU. Its Python half asks for two
    operators of the binary; with these declared it imports. They can't be called, and nothing here does.
    """
    import torch

    try:
        importlib.import_module("torchvision")
    except RuntimeError:  # "operator torchvision::nms does not exist"
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in OPERATORS:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        importlib.import_module("torchvision")


if importlib.util.find_spec("torch") and importlib.util.find_spec("torchvision"):
    import_torchvision()
