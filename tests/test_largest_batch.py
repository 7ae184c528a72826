"""The search for the largest batch against trying all."""

import pytest

from negjax.largest_batch import largest_fitting


@pytest.mark.parametrize("start", [1, 2, 3, 64, 100, 1000])
def test_the_largest_that_fits_or_one_an_eighth_below(start):
    for largest in [*range(40), 63, 64, 65, 999, 1000, 12345]:
        tried = []

        def fits(number, largest=largest, tried=tried):
            tried.append(number)
            return number <= largest

        found = largest_fitting(fits, start)
        assert found <= largest < found + max(1, found // 8) + (found == 0)
        assert len(tried) == len(set(tried)) < 20
        assert all(number >= 1 for number in tried)
