"""The losses of NegFull and their gradient, from embeddings that are computed already."""

from itertools import islice

import jax
import jax.numpy as jnp

from negjax.bench.measures.setup import bench_run, peak_bytes
from negjax.bench.measures.train import NEGATED
from negjax.bench.settings import BenchSettings
from negjax.bench.workload import Workload
from negjax.config import Source
from negjax.input.broken import BrokenRows
from negjax.objectives.objective import LossForm
from negjax.training.encode import Encoded, Towers, encoder_inputs
from negjax.training.gradcache import encoded
from negjax.training.losses import total_loss
from negjax.training.stream import stream_batches


def losses(settings: BenchSettings) -> Workload:
    """The value of `training.losses.total_loss` and its gradient with respect to the embeddings."""
    source = Source(settings.train_set, settings.batch, contrastive=0.99, mcq=0.01, negated_fraction=NEGATED)
    sources = {"train": source}
    run = bench_run(settings, sources)
    model, loss = run.model, run.experiment.loss
    batch = next(islice(stream_batches(run, {"train": BrokenRows(run.experiment.most_broken)}, 0), 1)).arrays
    form = LossForm(run.mesh if loss.sharded else None, loss.chunk)
    towers = Towers(model.config, model.preprocess, model.compute)
    params = run.initial_params()

    def loss_of(embeddings: Encoded) -> jax.Array:
        return total_loss(params, embeddings, batch, sources=sources, teacher_embeddings={}, form=form)[0]

    embeddings = jax.jit(lambda params: encoded(towers.encode, params, encoder_inputs(batch, sources), run.mesh))(
        params
    )
    gradient = jax.jit(jax.value_and_grad(loss_of))

    def evaluate(times: int) -> None:
        result = None
        for _ in range(times):
            result = gradient(embeddings)
        jax.block_until_ready(result)

    assert jnp.isfinite(gradient(embeddings)[0])
    return Workload(evaluate, settings.batch, "examples", peak_bytes)
