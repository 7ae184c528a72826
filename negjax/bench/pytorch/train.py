"""Training steps in PyTorch."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from negjax.bench.pytorch.peer import Peer, encode_trimmed, faster, peer_of, read_export, trimmed
from negjax.bench.settings import NEGFULL_PAIRS, PAIRS, QUESTIONS, SHARED, BenchSettings
from negjax.bench.workload import Workload

LEARNING_RATE, WEIGHT_DECAY, BETAS, EPS = 1e-5, 0.2, (0.9, 0.98), 1e-6  # open_clip's but the rate

Loss = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Examples:
    """A batch on the device: pixels [N, 3, S, S], captions [N, T], options [N, O, T], answers [N]."""

    pixels: torch.Tensor
    captions: torch.Tensor
    options: torch.Tensor
    answers: torch.Tensor


def plain_contrastive(settings: BenchSettings) -> Workload:
    """A step on pairs."""
    peer = peer_of(settings)
    return _steps(settings, peer, _plain_pairs(peer, _examples(settings, peer, PAIRS)), settings.batch, smart=False)


def smart_contrastive(settings: BenchSettings) -> Workload:
    """A step on pairs with trimmed captions."""
    peer = peer_of(settings)
    pairs = _examples(settings, peer, PAIRS)
    model, captions = peer.model, trimmed(peer.model, pairs.captions)

    def loss() -> torch.Tensor:
        with peer.autocast():
            image, text = model.encode_image(pairs.pixels, normalize=True), encode_trimmed(model, captions)
        return pair_loss(image, text, model.logit_scale.exp())

    return _steps(settings, peer, loss, settings.batch, smart=True)


def plain_negfull(settings: BenchSettings) -> Workload:
    """A step in the form of NegBench's code: pairs, and questions on images of their own."""
    return _plain_negfull(settings, NEGFULL_PAIRS, QUESTIONS)


def smart_negfull(settings: BenchSettings) -> Workload:
    """The same with one run of each tower, on trimmed captions."""
    return _smart_negfull(settings, NEGFULL_PAIRS, QUESTIONS)


def plain_shared(settings: BenchSettings) -> Workload:
    """As `plain_negfull`, on images that have both a caption and a question: each is encoded for both."""
    return _plain_negfull(settings, SHARED, SHARED)


def smart_shared(settings: BenchSettings) -> Workload:
    """As `smart_negfull`, with one run for each image."""
    return _smart_negfull(settings, SHARED, SHARED)


def pair_loss(image_BE: torch.Tensor, text_BE: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """CLIP's loss on embeddings of unit length, as open_clip's ClipLoss."""
    logits_BB = scale * image_BE.float() @ text_BE.float().T
    label_B = torch.arange(len(logits_BB), device=logits_BB.device)
    return (cross_entropy(logits_BB, label_B) + cross_entropy(logits_BB.T, label_B)) / 2


def question_loss(
    image_BE: torch.Tensor, option_BOE: torch.Tensor, answer_B: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy over the options, on embeddings of unit length."""
    return cross_entropy(scale * torch.einsum("be,boe->bo", image_BE.float(), option_BOE.float()), answer_B)


def _plain_pairs(peer: Peer, pairs: Examples) -> Loss:
    model = peer.model

    def loss() -> torch.Tensor:
        with peer.autocast():
            image, text, scale = model(pairs.pixels, pairs.captions)[:3]
        return pair_loss(image, text, scale)

    return loss


def _plain_negfull(settings: BenchSettings, pairs_set: str, questions_set: str) -> Workload:
    peer = peer_of(settings)
    model, questions = peer.model, _examples(settings, peer, questions_set)
    of_pairs = _plain_pairs(peer, _examples(settings, peer, pairs_set))

    def loss() -> torch.Tensor:
        with peer.autocast():
            image = model.encode_image(questions.pixels, normalize=True)
            options = model.encode_text(questions.options.flatten(0, 1), normalize=True)
        options = options.unflatten(0, questions.options.shape[:2])
        return of_pairs() + question_loss(image, options, questions.answers, model.logit_scale.exp())

    return _steps(settings, peer, loss, _count(settings, pairs_set, questions_set), smart=False)


def _smart_negfull(settings: BenchSettings, pairs_set: str, questions_set: str) -> Workload:
    peer = peer_of(settings)
    pairs, questions = _examples(settings, peer, pairs_set), _examples(settings, peer, questions_set)
    model, count, shared = peer.model, len(pairs.pixels), pairs_set == questions_set
    pixels = pairs.pixels if shared else torch.cat([pairs.pixels, questions.pixels])
    texts = trimmed(model, torch.cat([pairs.captions, questions.options.flatten(0, 1)]))

    def loss() -> torch.Tensor:
        with peer.autocast():
            image, text = model.encode_image(pixels, normalize=True), encode_trimmed(model, texts)
        scale = model.logit_scale.exp()
        options = text[count:].unflatten(0, questions.options.shape[:2])
        asked = image if shared else image[count:]
        return pair_loss(image[:count], text[:count], scale) + question_loss(asked, options, questions.answers, scale)

    return _steps(settings, peer, loss, _count(settings, pairs_set, questions_set), smart=True)


def _count(settings: BenchSettings, pairs_set: str, questions_set: str) -> int:
    return settings.negfull_batch * (1 if pairs_set == questions_set else 2)


def _examples(settings: BenchSettings, peer: Peer, name: str) -> Examples:
    rows = read_export(settings, name)
    options = peer.tokens([text for row in rows for text in row["options"]])
    return Examples(
        peer.pixels([row["image"] for row in rows]),
        peer.tokens([row["caption"] for row in rows]),
        options.unflatten(0, (len(rows), -1)),
        torch.tensor([row["answer"] for row in rows], device=peer.device),
    )


def _steps(settings: BenchSettings, peer: Peer, loss: Loss, items: int, *, smart: bool) -> Workload:
    """Steps on this loss; the results are as those of `measures.train.step_workload`."""
    model = peer.model.train()
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    fused = {"fused": True} if smart else {}
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=EPS, **fused)

    def step(loss: Loss) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        return value.detach()

    first = float(step(loss))
    norm = float(torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in parameters if p.grad is not None])))
    results = {"losses": [first, float(step(loss))], "gradient norm": [norm]}
    note = ""
    if smart and settings.torch_compile:
        loss, note = faster(loss, step, peer.wait)

    def run(times: int) -> None:
        for _ in range(times):
            step(loss)
        peer.wait()

    return Workload(run, items, "examples", peer.peak_bytes, results=results, note=note, device=peer.platform)
