"""Packing: several captions in each row of the text tower's input, so that little padding is computed.

For causal towers that pool at the end token: a caption attends to itself alone and its positions start at 0, so its
embedding is the same as in a row of its own.

Shapes: N captions, U length of their rows of ids, R packed rows, T length of these, K slots of a row (captions that it
may hold).
"""

from typing import NamedTuple, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np

from negjax.models.architecture import TextConfig, TextEncoderConfig

MAX_SLOTS = 16  # of a row; captions of CLIP's have some 13 of 77 tokens


class PackedTexts(NamedTuple):
    """Rows that hold several captions, one after the other from the first token on.

    Attributes:
        token_RT: Token ids, int32 [R, T].
        end_RK: The last token of each caption of a row, int32 [R, K]; T - 1 in slots that are not used.
    """

    token_RT: jax.Array | np.ndarray
    end_RK: jax.Array | np.ndarray


def can_pack(config: TextConfig | TextEncoderConfig) -> TypeGuard[TextConfig]:
    """Whether captions may be packed for this tower: nothing after a caption's end token may change its embedding."""
    return isinstance(config, TextConfig) and not config.sees_padding


def slots_of_row(width: int) -> int:
    """K for rows of T = width tokens."""
    return min(MAX_SLOTS, width)


def assign_rows(length_N: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Chooses a row for each caption: longest first, into the fullest row that it fits in ("best fit decreasing").

    Args:
        length_N: Tokens of each caption, 1 to `width`.
        width: T.

    Returns:
        The row of each caption, int64 [N], and the number of rows.
    """
    order_N = np.argsort(-length_N, kind="stable")
    row_N = np.empty(len(length_N), np.int64)
    most = slots_of_row(width)
    captions: list[int] = []  # in each row
    rows_by_space: list[list[int]] = [[] for _ in range(width + 1)]
    spaces = 0  # bit s is set where a row with s free tokens takes a further caption
    for index, length in zip(order_N.tolist(), length_N[order_N].tolist()):
        if fitting := spaces >> length:
            space = length + (fitting & -fitting).bit_length() - 1  # the lowest bit that is set
            row = rows_by_space[space].pop()
            if not rows_by_space[space]:
                spaces ^= 1 << space
        else:
            row, space = len(captions), width
            captions.append(0)
        row_N[index] = row
        captions[row] += 1
        space -= length
        if space and captions[row] < most:
            rows_by_space[space].append(row)
            spaces |= 1 << space
    return row_N, len(captions)


def pack(
    token_NU: np.ndarray, length_N: np.ndarray, row_N: np.ndarray, rows: int, width: int
) -> tuple[PackedTexts, np.ndarray]:
    """Puts captions into the rows that were chosen for them.

    Args:
        token_NU: Token ids of the captions.
        length_N: Tokens of each, up to and including the end token.
        row_N: The row of each, with at most `slots_of_row` captions and `width` tokens in a row.
        rows: R.
        width: T.

    Returns:
        The rows, and the slot of each caption, int32 [N], counted over all rows: row x K + slot in the row.
    """
    slots = slots_of_row(width)
    order_N = np.argsort(row_N, kind="stable")
    row_N, length_N, token_NU = row_N[order_N], length_N[order_N], token_NU[order_N]
    first_N = np.searchsorted(row_N, row_N)  # the first caption of the same row
    before_N = np.cumsum(length_N) - length_N  # tokens before each caption
    start_N = before_N - before_N[first_N]
    slot_N = row_N * slots + np.arange(len(row_N)) - first_N
    token_RT = np.zeros((rows, width), np.int32)
    end_RK = np.full((rows, slots), width - 1, np.int32)
    end_RK.reshape(-1)[slot_N] = start_N + length_N - 1
    place_X = np.arange(length_N.sum()) + np.repeat(row_N * width + start_N - before_N, length_N)
    token_RT.reshape(-1)[place_X] = token_NU[np.arange(token_NU.shape[1]) < length_N[:, None]]
    unordered_N = np.empty(len(slot_N), np.int32)
    unordered_N[order_N] = slot_N
    return PackedTexts(token_RT, end_RK), unordered_N


def round_up_rows(rows: int) -> int:
    """A number of rows that few batches differ in, at most an eighth larger: each number is compiled once."""
    step = 1 << max(0, rows.bit_length() - 4)
    return -(-rows // step) * step


def caption_starts(end_RK: jax.Array, width: int) -> jax.Array:
    """The first token of the caption that each token belongs to, int32 [R, T]; what follows the last is one more."""
    is_past_RTK = end_RK[:, None] < jnp.arange(width)[:, None]
    return jnp.where(is_past_RTK, end_RK[:, None] + 1, 0).max(axis=2)
