"""Fits the directions of negation steering to a model: which way a negated sentence moves the end token's state.

Shapes: N pairs of sentences, L blocks of the text tower, D its width.
"""

import logging
from collections.abc import Sequence

import numpy as np

from negjax.errors import NegjaxError
from negjax.language.parsed import Parsed
from negjax.models.loaded import LoadedModel
from negjax.negation.scorer import Directions

FEWEST_PAIRS = 20
MOST_PAIRS = 4000  # the source has 3,979
HELD_OUT = 0.1  # share of the pairs that the reported accuracy is measured on
_BATCH = 128

logger = logging.getLogger(__name__)


def fit_directions(model: LoadedModel, captions: Sequence[Parsed]) -> Directions:
    """The unit normals of logistic regressions, without intercept, that tell negated captions from what they affirm.

    Source: negation steering (arXiv 2603.20554).

    Args:
        model: the model.
        captions: captions; those that affirm something and deny something are the pairs.

    Raises:
        NegjaxError: there are too few pairs, or the model's text tower cannot be steered.
    """
    model.check_steerable()
    pairs = [parsed for parsed in captions if parsed.negated and parsed.affirmed.strip()]
    if len(pairs) < FEWEST_PAIRS:
        raise NegjaxError(
            f"negation steering needs {FEWEST_PAIRS} captions that affirm something and deny something, the set has "
            f"{len(pairs)}: calibrate on another set"
        )
    rng = np.random.default_rng(0)
    pairs = [pairs[n] for n in np.sort(rng.permutation(len(pairs))[:MOST_PAIRS])]
    plain_LND = _states(model, [parsed.affirmed for parsed in pairs])
    negated_LND = _states(model, [parsed.caption for parsed in pairs])
    from sklearn.linear_model import LogisticRegression

    held_N = rng.permutation(len(pairs)) < max(1, int(HELD_OUT * len(pairs)))
    rows, accuracies = [], []
    for plain_ND, negated_ND in zip(plain_LND, negated_LND):
        state_ND, label_N = np.concatenate([plain_ND, negated_ND]), np.repeat([0, 1], len(pairs))
        fitted_N = np.tile(~held_N, 2)
        regression = LogisticRegression(fit_intercept=False, max_iter=1000).fit(state_ND[fitted_N], label_N[fitted_N])
        accuracies.append(regression.score(state_ND[~fitted_N], label_N[~fitted_N]))
        normal_D = regression.coef_[0]
        rows.append(tuple((normal_D / np.linalg.norm(normal_D)).tolist()))
    shares = ", ".join(f"{100 * accuracy:.0f}" for accuracy in accuracies)
    logger.info("steering: %d pairs; held-out accuracy by block, per cent: %s", len(pairs), shares)
    return Directions(tuple(rows))


def _states(model: LoadedModel, texts: Sequence[str]) -> np.ndarray:
    """The states of the end token after each block [L, N, D]."""
    token_NT = model.tokenizer(list(texts), model.config.text.context_length)
    parts = []
    for start in range(0, len(token_NT), _BATCH):
        token_BT = token_NT[start : start + _BATCH]
        padded_BT = np.pad(token_BT, ((0, _BATCH - len(token_BT)), (0, 0)), mode="edge")
        parts.append(np.asarray(model.block_states(padded_BT))[:, : len(token_BT)])
    return np.concatenate(parts, axis=1)
