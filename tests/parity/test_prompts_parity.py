"""The prompts and class names that ship are those of open_clip, which are OpenAI's."""

import pytest

pytestmark = pytest.mark.parity
pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
pytest.importorskip("open_clip", reason="needs PyTorch's stack: pip install 'negjax[torch]'")

import open_clip  # noqa: E402

from negjax.datasets.sources.prompts import read_classnames, read_templates  # noqa: E402


def test_templates():
    for choice, theirs in [
        ("openai", open_clip.OPENAI_IMAGENET_TEMPLATES),
        ("simple", open_clip.SIMPLE_IMAGENET_TEMPLATES),
    ]:
        ours = read_templates(choice)
        assert [each.format("tabby cat") for each in ours] == [each("tabby cat") for each in theirs]


def test_class_names():
    wordnet = [f"n{i:08}" for i in range(1000)]
    assert read_classnames("imagenet", wordnet) == list(open_clip.IMAGENET_CLASSNAMES)
