"""What accelerators can do, per chip. Sources: Google Cloud's page of each TPU version (cloud.google.com/tpu/docs), and
the data sheets of NVIDIA's GPUs, for AWS's A10G that of AWS."""

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

# What a `jax.Device` calls itself -> matrix operations a second of the device at most: bfloat16, of dense matrices
# (data sheets like to double it for sparse ones), float16 for V100 and T4, which have no bfloat16.
PEAK_FLOPS = {
    "TPU v4": CHIPS["v4"].flops,
    "TPU v5 lite": CHIPS["v5e"].flops,
    "TPU v5e": CHIPS["v5e"].flops,
    "TPU v5": CHIPS["v5p"].flops,
    "TPU v5p": CHIPS["v5p"].flops,
    "TPU v6 lite": CHIPS["v6e"].flops,
    "TPU v6e": CHIPS["v6e"].flops,
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


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as "v5e:4x4". Raises NegjaxError for one that is not known."""
    version = topology.partition(":")[0]
    if version not in CHIPS:
        raise NegjaxError(f"--topology {topology}: it begins with one of {', '.join(CHIPS)}, as in v5e:4x4")
    return CHIPS[version]


def peak_flops(device_kind: str) -> float | None:
    """Matrix operations a second that a device of this kind (`jax.Device.device_kind`) can do; None if not known."""
    return PEAK_FLOPS.get(device_kind)
