"""The random numbers of a training batch, drawn before anything is read.

They are drawn for groups of rows of the global batch, so that they do not depend on the number of hosts. Shapes: g rows
of a group, B rows of the batch, D draws of a row, H hard negatives of a row.
"""

from typing import Any

import numpy as np

DRAWS = 7  # random numbers for each use of a row: negated or not, which caption, mirrored or not, four for the crop
NEGATED, CAPTION, MIRRORED, CROP = 0, 1, 2, slice(3, DRAWS)
NEGATION = 5  # random numbers for the captions that are made in the batch, see `negjax.input.batch_negation`
COLORS = 7  # random numbers for the colours of an image, see `negjax.media.augment.jitter_params`


def draw_group(index: int, rng: np.random.Generator, *, group: int, hard_negatives: int) -> dict[str, Any]:
    """The rows of a group, and the random numbers for their captions, crops, mirroring and colours.

    A setting that was added later is drawn later, so that it does not change the earlier draws.

    Args:
        index: number of the group in the set.
        rng: the random generator of this use of the group.
        group: rows of a group.
        hard_negatives: wrong options that are drawn for each row.

    Returns:
        "row" [g], and uniform draws from [0, 1): "draw" [g, DRAWS], "color" [g, COLORS], "negative" [g, H],
        "negation" [g, NEGATION].
    """
    return {
        "row": group * index + np.arange(group),
        "draw": rng.random((group, DRAWS)),
        "color": rng.random((group, COLORS)),
        "negative": rng.random((group, hard_negatives)),
        "negation": rng.random((group, NEGATION)),
    }


def flat_draws(groups: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The draws of a batch of groups, [B / g, g, ...], as those of its rows, [B, ...]."""
    rows = groups["row"].size
    return {name: x.reshape(rows, *x.shape[2:]) for name, x in groups.items()}
