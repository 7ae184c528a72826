"""The weighted sum of the objectives of all sources."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from negjax.config import Source
from negjax.models import clip
from negjax.objectives.inputs import INPUTS
from negjax.objectives.objective import LossForm, LossInputs
from negjax.objectives.table import objective
from negjax.training.encode import Batches, Encoded

Metrics = dict[str, jax.Array]  # name -> scalar


def total_loss(
    params: clip.Params,
    embeddings: Encoded,
    batches: Batches,
    *,
    sources: Mapping[str, Source],
    teacher_embeddings: Encoded,
    form: LossForm = LossForm(),
) -> tuple[jax.Array, Metrics]:
    """The sum over sources and objectives of weight x loss.

    Args:
        params: of these the logit scale and the logit bias are used.
        embeddings: those of `encoder_inputs`.
        batches: the batch of each source.
        sources: the settings of each.
        teacher_embeddings: those of `teacher_inputs`; for a tower that does not learn they are the student's own.
        form: how losses over all pairs are computed.

    Returns:
        the sum, and metrics: "loss", each unweighted loss "SOURCE/OBJECTIVE" and its "SOURCE/OBJECTIVE_accuracy" etc.
    """
    scale, bias = jnp.exp(params["logit_scale"]), params.get("logit_bias")
    total = jnp.zeros(())
    metrics: Metrics = {}
    for name, source in sources.items():
        arrays = {key: x for (source_name, key), x in embeddings.items() if source_name == name}
        arrays |= {key: batches[name][key] for key in source.inputs if not INPUTS[key].tower}
        arrays |= _teacher_arrays(name, source, embeddings | teacher_embeddings)
        inputs = LossInputs(arrays, scale, bias, form)
        for key, weight in source.weights.items():
            loss, others = objective(key).loss(inputs)
            total += weight * loss
            metrics[f"{name}/{key}"] = loss
            metrics |= {f"{name}/{key}_{other}": value for other, value in others.items()}
    return total, metrics | {"loss": total}


def _teacher_arrays(name: str, source: Source, embeddings: Encoded) -> dict[str, jax.Array]:
    """The teacher's embeddings by the names of the inputs, "teacher_image" and so on."""
    return {
        key: embeddings[name, spec.teacher_of]
        for key, spec in INPUTS.items()
        if spec.teacher_of in source.teacher_inputs
    }
