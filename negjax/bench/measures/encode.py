"""Encoding of images and captions by the functions of `negjax eval`; decoding and tokenizing are not timed."""

from collections.abc import Callable

import jax
import numpy as np

from negjax.bench.measures.setup import bench_model, open_tasks, peak_bytes, peak_flops_of_devices
from negjax.bench.settings import COMPARED, BenchSettings
from negjax.bench.workload import Workload
from negjax.evaluation.embed.encode import EncodedBatches, encode_media, encode_texts
from negjax.evaluation.prepare import prepare_eval_data
from negjax.models.flops import image_flops, text_flops
from negjax.models.text import lengths

TEXT_BATCH = 256  # captions at a time, as `negjax eval` does


def images(settings: BenchSettings) -> Workload:
    """The tasks' first images, of which the pixels are in memory."""
    model = bench_model(settings)
    data = prepare_eval_data(open_tasks(settings), model.preprocess, blind_texts=False, progress=False)
    index_N = np.arange(min(settings.images, len(data.images.keys)))
    return _encoding(
        lambda: encode_media(model, data.images, index_N, settings.batch),
        len(index_N),
        "images",
        float(len(index_N) * image_flops(model.config)),
    )


def captions(settings: BenchSettings) -> Workload:
    """The tasks' first captions, as token ids."""
    model = bench_model(settings)
    data = prepare_eval_data(open_tasks(settings), model.preprocess, blind_texts=False, progress=False)
    token_NT = model.tokenizer(data.captions[: settings.captions], model.config.text.context_length)
    index_N = np.arange(len(token_NT))
    return _encoding(
        lambda: encode_texts(model, token_NT, index_N, TEXT_BATCH),
        len(index_N),
        "captions",
        float(text_flops(model.config, lengths(model.config.text, token_NT)).sum()),
    )


def _encoding(encode: Callable[[], EncodedBatches], items: int, unit: str, flops: float) -> Workload:
    def run(times: int) -> None:
        for _ in range(times):
            for _ in encode():  # embeddings are fetched, so they are complete
                pass

    embeddings = {int(n): row_E for index_B, rows_BE in encode() for n, row_E in zip(index_B, rows_BE)}
    first = [float(x) for n in range(min(COMPARED, items)) for x in embeddings[n]]
    peak = peak_flops_of_devices()
    results, device = {"embeddings": first}, jax.default_backend()
    return Workload(run, items, unit, peak_bytes, flops, peak, results=results, device=device)
