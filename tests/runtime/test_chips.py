import pytest

from negjax.errors import NegjaxError
from negjax.runtime.chips import chip_for_topology, peak_flops


def test_chips_of_a_topology():
    assert chip_for_topology("v5e:4x4").memory_bytes == 16 * 2**30
    with pytest.raises(NegjaxError, match="choose one of"):
        chip_for_topology("v9:2x2")


def test_peaks_by_the_names_that_jax_gives():
    """In tera-operations a second of dense bfloat16, as the data sheets say (float16 on the V100)."""
    peaks = {
        "TPU v5 lite": 197,
        "TPU v5": 459,
        "TPU v6 lite": 918,
        "NVIDIA H100 80GB HBM3": 989.5,
        "NVIDIA A100-SXM4-40GB": 312,
        "NVIDIA L4": 121,
        "Tesla V100-SXM2-16GB": 125,
    }
    assert {kind: peak_flops(kind) for kind in peaks} == {kind: peak * 1e12 for kind, peak in peaks.items()}
    assert peak_flops("cpu") is None
