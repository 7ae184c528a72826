"""Encoding in PyTorch."""

from collections.abc import Callable
from functools import partial

import torch

from negjax.bench.pytorch.peer import Peer, encode_trimmed, faster, lengths, peer_of, read_export, trimmed
from negjax.bench.settings import COMPARED, BenchSettings
from negjax.bench.workload import Workload

CPU_BATCH, GPU_BATCH = 64, 256  # captions at a time; on a CPU larger batches fall out of its caches


def plain_images(settings: BenchSettings) -> Workload:
    """Images as tensors in memory, `settings.batch` at a time."""
    return _images(settings, smart=False)


def smart_images(settings: BenchSettings) -> Workload:
    """The same, compiled where that is faster."""
    return _images(settings, smart=True)


def plain_captions(settings: BenchSettings) -> Workload:
    """Captions as ids, padded to the context."""
    return _captions(settings, encode_padded)


def smart_captions(settings: BenchSettings) -> Workload:
    """Captions as ids, sorted by length. Not compiled: it would be again for each length."""
    return _captions(settings, encode_sorted)


@torch.inference_mode()
def encode_padded(peer: Peer, token_NT: torch.Tensor) -> torch.Tensor:
    """Embeddings [N, E] of unit length, as open_clip computes them."""
    with peer.autocast():
        parts = [peer.model.encode_text(part_BT, normalize=True) for part_BT in token_NT.split(text_batch(peer))]
    return torch.cat(parts).float()


@torch.inference_mode()
def encode_sorted(peer: Peer, token_NT: torch.Tensor) -> torch.Tensor:
    """The same from captions sorted by length, each batch cut at its longest."""
    order_N = lengths(token_NT).argsort()
    with peer.autocast():
        parts = [
            encode_trimmed(peer.model, trimmed(peer.model, token_NT[index_B]))
            for index_B in order_N.split(text_batch(peer))
        ]
    embedding_NE = torch.cat(parts).float()
    return torch.empty_like(embedding_NE).index_copy_(0, order_N, embedding_NE)


def text_batch(peer: Peer) -> int:
    """Captions at a time."""
    return GPU_BATCH if peer.device == "cuda" else CPU_BATCH


def _images(settings: BenchSettings, *, smart: bool) -> Workload:
    peer = peer_of(settings)
    pixels_NCHW = peer.pixels(read_export(settings, "encode")["images"])
    model, note = peer.model.eval(), ""

    def encode(pixels_BCHW: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), peer.autocast():
            return model.encode_image(pixels_BCHW, normalize=True)

    first = pixels_NCHW[: settings.batch]
    if smart and settings.torch_compile:
        encode, note = faster(encode, lambda function: function(first), peer.wait)

    def encode_all(pixels_NCHW: torch.Tensor) -> torch.Tensor:
        return torch.cat([encode(part) for part in pixels_NCHW.split(settings.batch)]).float()

    return _workload(peer, encode_all, pixels_NCHW, "images", note)


def _captions(settings: BenchSettings, encode: Callable[[Peer, torch.Tensor], torch.Tensor]) -> Workload:
    peer = peer_of(settings)
    peer.model.eval()
    token_NT = peer.tokens(read_export(settings, "encode")["captions"])
    return _workload(peer, partial(encode, peer), token_NT, "captions", "")


def _workload(
    peer: Peer, encode_all: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, unit: str, note: str
) -> Workload:
    def run(times: int) -> None:
        for _ in range(times):
            encode_all(inputs).cpu()

    results = {"embeddings": encode_all(inputs[:COMPARED]).flatten().tolist()}
    return Workload(run, len(inputs), unit, peer.peak_bytes, results=results, note=note, device=peer.platform)
