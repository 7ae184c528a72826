"""Memory, FLOP/s and bandwidth of accelerators, per chip.

Sources: Google Cloud's page of each TPU version (cloud.google.com/tpu/docs); the data sheets of NVIDIA's GPUs and, for
AWS's A10G, that of AWS.
"""

from dataclasses import dataclass

from negjax.errors import NegjaxError


@dataclass(frozen=True)
class Chip:
    """A TPU chip.

    Attributes:
        memory_bytes: of HBM.
        memory_bytes_per_second: to and from HBM.
        flops_per_second: peak in bfloat16.
        link_bytes_per_second: of all interconnect links together.
    """

    memory_bytes: float
    memory_bytes_per_second: float
    flops_per_second: float
    link_bytes_per_second: float


CHIPS = {
    "v4": Chip(32 * 2**30, 1228e9, 275e12, 300e9),
    "v5e": Chip(16 * 2**30, 819e9, 197e12, 200e9),
    "v5p": Chip(95 * 2**30, 2765e9, 459e12, 600e9),
    "v6e": Chip(32 * 2**30, 1640e9, 918e12, 448e9),
}

# `jax.Device.device_kind` -> peak FLOP/s of matrix products: bfloat16, dense (data sheets often double it for sparse
# matrices), and float16 for V100 and T4, which have no bfloat16.
PEAK_FLOPS = {
    "TPU v4": CHIPS["v4"].flops_per_second,
    "TPU v5 lite": CHIPS["v5e"].flops_per_second,
    "TPU v5e": CHIPS["v5e"].flops_per_second,
    "TPU v5": CHIPS["v5p"].flops_per_second,
    "TPU v5p": CHIPS["v5p"].flops_per_second,
    "TPU v6 lite": CHIPS["v6e"].flops_per_second,
    "TPU v6e": CHIPS["v6e"].flops_per_second,
    "NVIDIA B200": 2250e12,
    "NVIDIA H200": 989.5e12,
    "NVIDIA GH200 480GB": 989.5e12,
    "NVIDIA H100 80GB HBM3": 989.5e12,
    "NVIDIA H100 NVL": 835.5e12,
    "NVIDIA H100 PCIe": 756.5e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA L4": 121e12,
    "NVIDIA A10": 125e12,
    "NVIDIA A10G": 70e12,
    "Tesla V100-SXM2-16GB": 125e12,
    "Tesla V100-SXM2-32GB": 125e12,
    "Tesla V100-PCIE-16GB": 112e12,
    "Tesla V100-PCIE-32GB": 112e12,
    "Tesla T4": 65e12,
}


def chip_for_topology(topology: str) -> Chip:
    """Returns the chip of a TPU topology such as "v5e:4x4".

    Raises:
        NegjaxError: the chip is unknown.
    """
    version = topology.partition(":")[0]
    if version not in CHIPS:
        raise NegjaxError(
            f"--topology {topology}: unknown chip {version!r}; choose one of {', '.join(CHIPS)}, as in v5e:4x4"
        )
    return CHIPS[version]


def peak_flops(device_kind: str) -> float | None:
    """Returns the peak FLOP/s of a device by its `jax.Device.device_kind`; None if unknown."""
    return PEAK_FLOPS.get(device_kind)
