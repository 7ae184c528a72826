"""What of a comparison needs no PyTorch: the check that all sides did the same, and the table."""

import pytest
from rich.console import Console

from negjax.bench.against import check_agreement, check_one_device
from negjax.bench.comparisons import COMPARISONS, CONTENDERS
from negjax.bench.report import comparisons_table
from negjax.bench.timings import figures, speedup
from negjax.errors import NegjaxError

OWN = {"losses": [3.0, 4.0], "gradient norm": [2.0]}


def works(plain: dict, device: str = "cpu") -> dict:
    return {"negjax": {"results": OWN, "device": device}, "plain": {"results": plain, "device": "cpu"}}


def test_agreement_is_a_distance_over_the_length():
    differences = check_agreement("step", works({"losses": [3.0, 4.01], "gradient norm": [2.0]}), 5e-3)
    assert differences == {"plain: losses": pytest.approx(0.01 / 5), "plain: gradient norm": 0}


@pytest.mark.parametrize(
    ("plain", "device", "message"),
    [
        ({"losses": [3.0, 4.1], "gradient norm": [2.0]}, "cpu", "losses by plain differ from negjax's by 2.0e-02"),
        ({"losses": [3.0, float("nan")], "gradient norm": [2.0]}, "cpu", "losses by plain differ"),
        (OWN, "tpu", "different devices"),
    ],
)
def test_other_work_is_not_compared(plain, device, message):
    with pytest.raises(NegjaxError, match=message):
        check_agreement("step", works(plain, device), 5e-3)


def test_several_gpus_are_not_compared_with_one():
    check_one_device({"device_count": 8, "software": {"backend": "cpu", "devices": "8 x cpu"}})
    check_one_device({"device_count": 1, "software": {"backend": "gpu", "devices": "1 x NVIDIA H200"}})
    with pytest.raises(NegjaxError, match="8 x NVIDIA H200: set CUDA_VISIBLE_DEVICES=0"):
        check_one_device({"device_count": 8, "software": {"backend": "gpu", "devices": "8 x NVIDIA H200"}})


def test_the_table_has_ratios_with_their_spread():
    work = {"items": 8, "unit": "examples", "flops": 0.0, "peak_flops": None, "real_token_share": None, "note": "eager"}
    times = {"plain": [3.0, 3.0, 6.0], "smart": [1.5, 1.5, 1.5], "negjax": [1.0, 1.0, 1.0]}
    row = {
        "sides": {side: figures(times[side], work, 2 * 10**9, "host") for side in CONTENDERS},
        "negjax_is_faster_than": {side: speedup(times["negjax"], times[side]) for side in ("plain", "smart")},
    }
    machine = {"software": {"devices": "1 x cpu"}, "cores": 2, "load_average_before": 0.1, "load_average_after": 2.0}
    results = {"machine": machine | {"pytorch": {"torch": "2"}}, "comparisons": dict.fromkeys(COMPARISONS, row)}
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(comparisons_table(results))
    text = captured.get()
    assert "…" not in text
    assert text.count("3.00-6.00") == len(COMPARISONS)
    assert "1.50" in text
