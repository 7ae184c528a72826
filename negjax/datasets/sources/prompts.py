"""Class names and prompt templates of zero-shot sets: OpenAI's, or a file's."""

import re
from collections.abc import Sequence
from importlib.resources import files

from etils import epath

from negjax.errors import NegjaxError

TEMPLATES = ("openai", "simple", "none")
IMAGENET = "imagenet"
WORDNET = re.compile(r"n\d{8}")


def read_templates(choice: str) -> list[str]:
    """Prompt templates, in each of which {} stands for the class name.

    choice: "openai", the 80 of OpenAI's evaluation on ImageNet; "simple", its best 7; "none", the bare name; or a file
    with one template a line. Raises NegjaxError that names the file and the line.
    """
    if choice == "none":
        return ["{}"]
    if choice in TEMPLATES:
        return _asset(f"templates_{choice}.txt")
    templates = _lines(choice, f"--templates {choice}: there is no such file, nor is it {', '.join(TEMPLATES)}")
    for number, template in enumerate(templates, 1):
        if template.count("{}") != 1 or "{" in template.replace("{}", "") or "}" in template.replace("{}", ""):
            raise NegjaxError(f"{choice} line {number}: {template!r} does not hold {{}} once, where the name goes")
    return templates


def read_classnames(choice: str | None, classes: Sequence[str]) -> list[str]:
    """The name of each class, as it stands in prompts.

    classes: as the source calls them, in the order of their labels. choice: None for these names with spaces instead
    of underscores; "imagenet" for OpenAI's names of ImageNet's 1,000 classes, whose order is that of their WordNet
    ids; or a file with one name a line in the order of the classes. Raises NegjaxError when these don't fit together.
    """
    if choice is None:
        return [name.replace("_", " ") for name in classes]
    if choice == IMAGENET:
        numbered = list(classes) == [str(i) for i in range(len(classes))]
        if len(classes) != 1000 or not (numbered or all(WORDNET.fullmatch(name) for name in classes)):
            raise NegjaxError(
                "--classnames imagenet needs ImageNet's 1,000 classes, called by their WordNet ids (n01440764, ...) "
                f"or 0 to 999, but there are {len(classes)}, {', '.join(classes[:3])}, ...: name them in a file instead"
            )
        return _asset("classnames_imagenet.txt")
    names = _lines(choice, f"--classnames {choice}: there is no such file, nor is it {IMAGENET}")
    if len(names) != len(classes):
        raise NegjaxError(
            f"{choice} has {len(names)} lines for {len(classes)} classes: one name a line, in their order"
        )
    return names


def _asset(name: str) -> list[str]:
    return files("negjax").joinpath(f"assets/{name}").read_text(encoding="utf-8").splitlines()


def _lines(path: str, absent: str) -> list[str]:
    file = epath.Path(path)
    if not file.is_file():
        raise NegjaxError(absent)
    try:
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise NegjaxError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    if not lines or (blank := [number for number, line in enumerate(lines, 1) if not line.strip()]):
        raise NegjaxError(f"{path} has an empty line ({blank[0]})" if lines else f"{path} is empty")
    return [line.strip() for line in lines]
