"""Downloads weights by name from the Hugging Face hub or open_clip's list, with the code of these libraries."""

from etils import epath

from negjax.errors import NegjaxError
from negjax.models.presets import QUICKGELU_SUFFIX
from negjax.weights.pytorch import WEIGHT_FILES

_HUB_PATTERNS = (*WEIGHT_FILES, "model-*.safetensors", "*.json", "merges.txt")


def download(name: str) -> tuple[epath.Path, str]:
    """Downloads weights, or takes them from the library's cache.

    Args:
        name: "hf-hub:ORG/NAME" or "open_clip:ARCH/TAG".

    Returns:
        The local file or folder, and the architecture's name, "" where `name` does not include it.

    Raises:
        NegjaxError: If the library is not installed, the name is unknown, or the download fails.
    """
    scheme, _, repository = name.partition(":")
    try:
        return (_from_hub(repository), "") if scheme == "hf-hub" else _from_open_clip(repository)
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


def _from_hub(repository: str) -> epath.Path:
    from huggingface_hub import snapshot_download

    return epath.Path(snapshot_download(repository, allow_patterns=list(_HUB_PATTERNS)))


def _from_open_clip(arch_and_tag: str) -> tuple[epath.Path, str]:
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    arch, _, tag = arch_and_tag.partition("/")
    pretrained_cfg = get_pretrained_cfg(arch, tag)
    if not pretrained_cfg:
        tags = ", ".join(list_pretrained_tags_by_model(arch)) or "none"
        raise NegjaxError(f"open_clip has no weights {tag!r} of {arch!r}; its tags are {tags} (open_clip:ARCH/TAG)")
    if pretrained_cfg.get("quick_gelu") and not arch.endswith(QUICKGELU_SUFFIX):
        arch += QUICKGELU_SUFFIX
    return epath.Path(download_pretrained(pretrained_cfg)), arch
