"""Class names and prompt templates of zero-shot sets: OpenAI's, or those of a file."""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from negjax.errors import NegjaxError
from negjax.runtime.paths import to_path

TEMPLATE_CHOICES = ("openai", "simple", "none")
IMAGENET = "imagenet"
WORDNET_ID = re.compile(r"n\d{8}")


def classification_metadata(classes: Sequence[str], classnames: str | None, templates: str) -> dict[str, Any]:
    """The metadata of a zero-shot set: `classnames` by `read_classnames` and `templates` by `read_templates`."""
    return {"classnames": read_classnames(classnames, classes), "templates": read_templates(templates)}


def read_templates(choice: str) -> list[str]:
    """Reads prompt templates, in each of which {} stands for the class name.

    Args:
        choice: "openai", the 80 of OpenAI's evaluation on ImageNet; "simple", its best 7; "none", the bare name; or a
            file with one template per line.

    Raises:
        NegjaxError: The file does not exist, or a line is no template; the message names the line.
    """
    if choice == "none":
        return ["{}"]
    if choice in TEMPLATE_CHOICES:
        return _read_asset(f"templates_{choice}.txt")
    choices = f"choose one of {', '.join(TEMPLATE_CHOICES)}, or a file that exists"
    templates = _read_lines(choice, f"unknown --templates {choice!r}; {choices}")
    for number, template in enumerate(templates, 1):
        if template.count("{}") != 1 or "{" in template.replace("{}", "") or "}" in template.replace("{}", ""):
            raise NegjaxError(f"{choice} line {number}: {template!r} must hold {{}} once, for the class name")
    return templates


def read_classnames(choice: str | None, classes: Sequence[str]) -> list[str]:
    """Reads the name of each class for prompts.

    Args:
        choice: None for `classes` with spaces instead of underscores; "imagenet" for OpenAI's names of ImageNet's 1,000
            classes, whose order is that of their WordNet ids; or a file with one name per line, in the order of
            the classes.
        classes: The names of the classes in the source, in the order of their labels.

    Raises:
        NegjaxError: The names and the classes do not fit together.
    """
    if choice is None:
        return [name.replace("_", " ") for name in classes]
    if choice == IMAGENET:
        numbered = list(classes) == [str(i) for i in range(len(classes))]
        if len(classes) != 1000 or not (numbered or all(WORDNET_ID.fullmatch(name) for name in classes)):
            raise NegjaxError(
                "--classnames imagenet needs ImageNet's 1,000 classes, called by their WordNet ids (n01440764, ...) "
                f"or 0 to 999, but there are {len(classes)}, {', '.join(classes[:3])}, ...: name them in a file instead"
            )
        return _read_asset("classnames_imagenet.txt")
    names = _read_lines(choice, f"unknown --classnames {choice!r}; choose {IMAGENET}, or a file that exists")
    if len(names) != len(classes):
        raise NegjaxError(
            f"{choice} has {len(names)} lines for {len(classes)} classes: write one name a line, in their order"
        )
    return names


def _read_asset(name: str) -> list[str]:
    return files("negjax").joinpath(f"assets/{name}").read_text(encoding="utf-8").splitlines()


def _read_lines(path: str, not_found: str) -> list[str]:
    """The stripped lines of a file; raises NegjaxError, with the message `not_found` if the file does not exist."""
    file = to_path(path)
    if not file.is_file():
        raise NegjaxError(not_found)
    try:
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    if not lines or (blank := [number for number, line in enumerate(lines, 1) if not line.strip()]):
        raise NegjaxError(f"{path} has an empty line ({blank[0]}): remove it" if lines else f"{path} is empty")
    return [line.strip() for line in lines]
