"""What training code puts before a model's tensor names: "model." (Lightning), "clip_model.", "net." and so on."""

import logging
from collections.abc import Mapping

from negjax.errors import NegjaxError
from negjax.weights.families.table import all_formats
from negjax.weights.lazy_tensor import LazyTensor

logger = logging.getLogger(__name__)


def strip_prefix(tensors: Mapping[str, LazyTensor], where: str) -> dict[str, LazyTensor]:
    """The tensors of the model without what precedes all their names; tensors outside of that prefix are left out.

    The prefix is what precedes a format's first marker. It is told, with what is left out.

    Args:
        tensors: A file's tensors by name.
        where: Names the file in messages.

    Raises:
        NegjaxError: If the file holds several models under different prefixes.
    """
    markers = [format.markers[0] for format in all_formats()]
    if any(marker in tensors for marker in markers):
        return dict(tensors)
    found = {name.removesuffix(marker) for name in tensors for marker in markers if name.endswith(f".{marker}")}
    # Names of one format may end in the marker of another: of prefixes that continue each other the shortest counts.
    prefixes = sorted(
        prefix for prefix in found if not any(prefix != other and prefix.startswith(other) for other in found)
    )
    if len(prefixes) > 1:
        raise NegjaxError(
            f"{where} holds several models, under {', '.join(prefixes[:5])}: give the one to read as FILE#PREFIX, "
            f"such as {where}#{prefixes[0]}"
        )
    if not prefixes:
        return dict(tensors)
    return keep_prefix(tensors, prefixes[0], where)


def keep_prefix(tensors: Mapping[str, LazyTensor], prefix: str, where: str) -> dict[str, LazyTensor]:
    """The tensors whose names start with a prefix, without it."""
    kept = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    others = [name for name in tensors if not name.startswith(prefix)]
    rest = f"; {len(others)} other tensors are left out ({', '.join(others[:3])})" if others else ""
    logger.warning("%s: the model's tensors are those under %s%s", where, prefix, rest)
    return kept
