"""What the TPUs can do, per chip. Source: Google Cloud's page of each version (cloud.google.com/tpu/docs)."""

from dataclasses import dataclass

from negjax.errors import NegjaxError


@dataclass(frozen=True)
class Chip:
    """memory: bytes of HBM. flops: bfloat16 operations a second. links: bytes a second of all links together."""

    memory: float
    flops: float
    links: float


CHIPS = {
    "v4": Chip(32 * 2**30, 275e12, 300e9),
    "v5e": Chip(16 * 2**30, 197e12, 200e9),
    "v5p": Chip(95 * 2**30, 459e12, 600e9),
    "v6e": Chip(32 * 2**30, 918e12, 448e9),
}


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as "v5e:4x4". Raises NegjaxError for one that is not known."""
    version = topology.partition(":")[0]
    if version not in CHIPS:
        raise NegjaxError(f"--topology {topology}: it begins with one of {', '.join(CHIPS)}, as in v5e:4x4")
    return CHIPS[version]
