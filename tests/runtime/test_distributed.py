"""What processes do together, where a run has a single one; several are in test_cluster.py and tests/training."""

import numpy as np
import pytest

from negjax.errors import NegjaxError
from negjax.runtime.distributed import broadcast_from_first, check_agreement, exit_together, is_first_process, one_line


def test_a_single_process_agrees_with_itself():
    assert is_first_process()
    check_agreement("anything", "a batch size")
    array = np.arange(3)
    assert broadcast_from_first(array) is array


def test_errors_of_a_single_process_are_raised_as_they_are():
    with pytest.raises(NegjaxError, match=r"^wrong$"), exit_together():
        raise NegjaxError("wrong")


def test_long_messages_are_cut_and_empty_ones_named():
    assert one_line(ValueError("a\n  b" + 300 * "c")) == "a b" + 197 * "c"
    assert one_line(KeyError()) == "KeyError"
