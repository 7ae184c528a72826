"""Class names and templates: what ships, what a file may hold, and what does not fit."""

import pytest

from negjax.datasets.sources.prompts import read_classnames, read_templates
from negjax.errors import NegjaxError


def test_what_ships():
    assert read_templates("none") == ["{}"]
    assert len(read_templates("openai")) == len(set(read_templates("openai"))) == 80
    assert read_templates("openai")[:2] == ["a bad photo of a {}.", "a photo of many {}."]
    assert len(read_templates("simple")) == 7
    assert all(template.count("{}") == 1 for choice in ("openai", "simple") for template in read_templates(choice))
    wordnet = [f"n{i:08}" for i in range(1000)]
    names = read_classnames("imagenet", wordnet)
    assert (len(names), names[0], names[999]) == (1000, "tench", "toilet paper")
    assert names == read_classnames("imagenet", [str(i) for i in range(1000)])


def test_names_of_the_source():
    assert read_classnames(None, ["great_white_shark", "cat"]) == ["great white shark", "cat"]


@pytest.mark.parametrize("classes", [["cat", "dog"], [f"class{i}" for i in range(1000)], ["n01440764"]])
def test_imagenets_names_are_for_imagenet(classes):
    with pytest.raises(NegjaxError, match="--classnames imagenet needs ImageNet's 1,000 classes"):
        read_classnames("imagenet", classes)


def test_files(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\ufeffa photo of {}.\n{}, café\n", encoding="utf-8")
    assert read_templates(str(path)) == ["a photo of {}.", "{}, café"]
    path.write_text("Tom cat\ndog\n")
    assert read_classnames(str(path), ["a", "b"]) == ["Tom cat", "dog"]
    with pytest.raises(NegjaxError, match=r"lines.txt has 2 lines for 3 classes"):
        read_classnames(str(path), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {}\na photo\n", "line 2: 'a photo' must hold {} once"),
        ("{} and {}\n", "line 1: '{} and {}' must hold {} once"),
        ("{} {x}\n", "must hold {} once"),
        ("{}\n\n{}\n", "has an empty line (2)"),
        ("", "is empty"),
        (b"caf\xe9 {}", "is not UTF-8 text"),
    ],
)
def test_faults_of_files(tmp_path, text, expected):
    path = tmp_path / "lines.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NegjaxError) as caught:
        read_templates(str(path))
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)


def test_no_such_choice(tmp_path):
    with pytest.raises(
        NegjaxError, match=r"unknown --templates 'opnai'; choose one of openai, simple, none, or a file"
    ):
        read_templates("opnai")
    with pytest.raises(NegjaxError, match=r"unknown --classnames .*; choose imagenet, or a file that exists"):
        read_classnames(str(tmp_path), ["a"])
