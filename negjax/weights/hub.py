"""Weights by name: the Hugging Face hub and open_clip's list, through those libraries' own download code."""

from etils import epath

from negjax.errors import NegjaxError
from negjax.weights.pytorch import IN_FOLDERS

_WANTED = (*IN_FOLDERS, "model-*.safetensors", "*.json", "merges.txt")


def download(name: str) -> tuple[epath.Path, str]:
    """The local file or folder of "hf-hub:ORG/NAME" or "open_clip:ARCH/TAG", and the architecture if the name says it.

    Raises NegjaxError where the library is not installed, the name is unknown, or there is no network.
    """
    kind, _, wanted = name.partition(":")
    try:
        return (_from_hub(wanted), "") if kind == "hf-hub" else _from_open_clip(wanted)
    except ImportError as error:
        raise NegjaxError(f'{name}: {error.name} is not installed: pip install "negjax[torch]"') from error
    except NegjaxError:
        raise
    except Exception as error:  # those libraries raise whatever their HTTP client does
        reason = " ".join(str(error).split())[:160]
        raise NegjaxError(
            f"{name} cannot be downloaded ({type(error).__name__}: {reason}): is there a network? "
            "Otherwise download it elsewhere and give the file or folder"
        ) from error


def _from_hub(repository: str) -> epath.Path:
    from huggingface_hub import snapshot_download

    return epath.Path(snapshot_download(repository, allow_patterns=list(_WANTED)))


def _from_open_clip(wanted: str) -> tuple[epath.Path, str]:
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    arch, _, tag = wanted.partition("/")
    found = get_pretrained_cfg(arch, tag)
    if not found:
        tags = ", ".join(list_pretrained_tags_by_model(arch)) or "none"
        raise NegjaxError(f"open_clip has no weights {tag!r} of {arch!r}; it has {tags} (say open_clip:ARCH/TAG)")
    if found.get("quick_gelu") and not arch.endswith("-quickgelu"):
        arch += "-quickgelu"
    return epath.Path(download_pretrained(found)), arch
