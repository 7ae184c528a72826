"""Downloads weights by name from the Hugging Face hub or open_clip's list, with the code of these libraries."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from negjax.errors import NegjaxError
from negjax.weights.open_clip_config import CONFIG_FILE, read_config
from negjax.weights.pytorch import WEIGHT_FILES

SCHEMES = ("hf-hub:", "open_clip:")
_INDEX_SUFFIX = ".index.json"  # of the file that lists the shards of weights
# What a tokenizer consists of, in all its forms; also the configs that say which class reads it.
_TOKENIZER_FILES = ("*.json", "vocab.txt", "merges.txt", "*.model")


@dataclass(frozen=True)
class Download:
    """Downloaded weights.

    Attributes:
        path: The file, or the folder of a repository.
        config: The model's open_clip_config.json, "" where the folder has the config that counts.
        tokenizer_folder: Where the tokenizer is; None where it is beside the weights, or is CLIP's.
    """

    path: epath.Path
    config: str = ""
    tokenizer_folder: epath.Path | None = None


def download(name: str) -> Download:
    """Downloads weights, or takes them from the library's cache.

    Args:
        name: "hf-hub:ORG/NAME" or "open_clip:ARCH/TAG".

    Raises:
        NegjaxError: If the library is not installed, the name is unknown, or the download fails.
    """
    scheme, _, repository = name.partition(":")
    try:
        return _from_hub(repository) if scheme == "hf-hub" else _from_open_clip(repository)
    except ImportError as error:
        raise NegjaxError(f'{name}: {error.name} is not installed: pip install "negjax[torch]"') from error
    except NegjaxError:
        raise
    except Exception as error:  # these libraries raise the errors of their HTTP clients
        reason = " ".join(str(error).split())[:160]
        raise NegjaxError(
            f"{name} cannot be downloaded ({type(error).__name__}: {reason}): check the network, "
            "or download it elsewhere and give the file or folder"
        ) from error


def _from_hub(repository: str) -> Download:
    """A repository: of its weights only the file that is read, its configs, and the tokenizer that these name."""
    folder = _fetch(repository, lambda files: [*_weight_patterns(repository, files), *_TOKENIZER_FILES])
    config = folder / CONFIG_FILE
    tokenizer = _tokenizer_name(json.loads(config.read_text()).get("model_cfg", {})) if config.exists() else ""
    beside = tokenizer in ("", repository)
    return Download(folder, tokenizer_folder=None if beside else _fetch(tokenizer, lambda _: _TOKENIZER_FILES))


def _from_open_clip(arch_and_tag: str) -> Download:
    """open_clip's file for a tag, with the config that open_clip has for it: the architecture's and the tag's."""
    from open_clip import get_model_config
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    arch, _, tag = arch_and_tag.partition("/")
    pretrained_cfg = get_pretrained_cfg(arch, tag)
    if not pretrained_cfg:
        tags = ", ".join(list_pretrained_tags_by_model(arch)) or "none"
        raise NegjaxError(f"open_clip has no weights {tag!r} of {arch!r}; its tags are {tags} (open_clip:ARCH/TAG)")
    config = config_of_tag(get_model_config(arch), pretrained_cfg)
    text = json.dumps(config)
    read_config(text, f"open_clip:{arch_and_tag}")  # before weights that cannot be used are downloaded
    tokenizer = _tokenizer_name(config["model_cfg"])
    return Download(
        epath.Path(download_pretrained(pretrained_cfg)),
        text,
        _fetch(tokenizer, lambda _: _TOKENIZER_FILES) if tokenizer else None,
    )


def config_of_tag(model_cfg: Mapping[str, Any], pretrained_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The open_clip_config.json of one of open_clip's tags.

    Args:
        model_cfg: open_clip's config of the architecture.
        pretrained_cfg: Its entry for the tag: how images are prepared, and whether the weights are of QuickGELU.
    """
    quick_gelu = bool(model_cfg.get("quick_gelu") or pretrained_cfg.get("quick_gelu"))
    fields = ("mean", "std", "interpolation", "resize_mode")
    return {
        "model_cfg": {**model_cfg, "quick_gelu": quick_gelu},
        "preprocess_cfg": {field: pretrained_cfg[field] for field in fields if field in pretrained_cfg},
    }


def _tokenizer_name(model_cfg: Mapping[str, Any]) -> str:
    """The repository of the tokenizer; "" for CLIP's."""
    return model_cfg.get("text_cfg", {}).get("hf_tokenizer_name") or ""


def _fetch(repository: str, patterns: Callable[[list[str]], list[str] | tuple[str, ...]]) -> epath.Path:
    """Downloads those files of a repository that match; `patterns` gets the names of all its files."""
    from huggingface_hub import HfApi, snapshot_download

    try:
        files = HfApi().list_repo_files(repository)
    except Exception:  # without network: what an earlier download left in the cache
        if (cached := _cached(repository)) is None:
            raise
        return cached
    return epath.Path(snapshot_download(repository, allow_patterns=list(patterns(files))))


def _cached(repository: str) -> epath.Path | None:
    """The folder of a repository in the library's cache, None without any."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return epath.Path(snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _weight_patterns(repository: str, files: list[str]) -> list[str]:
    """The weights to read, with their shards: the first of WEIGHT_FILES that exists."""
    file = next((name for name in WEIGHT_FILES if name in files), None)
    if file is None:
        raise NegjaxError(f"hf-hub:{repository} has none of the weights {', '.join(WEIGHT_FILES)}")
    if not file.endswith(_INDEX_SUFFIX):
        return [file]
    stem, _, suffix = file.removesuffix(_INDEX_SUFFIX).rpartition(".")
    return [file, f"{stem}-*.{suffix}"]
