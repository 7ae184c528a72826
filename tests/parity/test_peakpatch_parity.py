"""PeakPatch's text repair and its gradient are those of PyTorch's own attention, norms and layers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")

from support.trees import unit  # noqa: E402
from torch import nn  # noqa: E402

from negjax.adapters.peakpatch import new_adapter, repaired, tapped_blocks  # noqa: E402
from negjax.adapters.table import make_adapter  # noqa: E402
from negjax.config import PeakPatch  # noqa: E402
from negjax.models.elementwise import activate  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402

WIDTH, EMBEDDING, HIDDEN, HEADS, ROWS, TOKENS = 24, 20, 40, 4, 3, 11
STARTS, ENDS = [[0, 4], [0, 9], [0, 2]], [[3, 7], [8, 10], [1, 10]]  # of the captions of each row


class TextRepair(nn.Module):
    """The published network, of these sizes."""

    def __init__(self, adapter: dict, heads: int):
        super().__init__()
        width, (hidden, embedding) = len(adapter["query"]), adapter["last"]["kernel"].shape
        self.query = nn.Parameter(torch.from_numpy(adapter["query"]))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.log_alpha = nn.Parameter(torch.tensor(adapter["log_alpha"]))
        self.norm = nn.LayerNorm(width)
        first, second, last = nn.Linear(4 * width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, embedding)
        norms = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.perceptron = nn.Sequential(first, norms[0], nn.GELU(), second, norms[1], nn.GELU(), last)
        names = {"first": first, "second": second, "last": last, "attended": self.attention.out_proj}
        names |= {"norm_attended": self.norm, "norm_first": norms[0], "norm_second": norms[1]}
        with torch.no_grad():
            for name, module in names.items():
                scale = adapter[name].get("scale")
                module.weight.copy_(torch.from_numpy(adapter[name]["kernel"].T if scale is None else scale))
                module.bias.copy_(torch.from_numpy(adapter[name]["bias"]))
            kernel, bias = adapter["attention"]["kernel"], adapter["attention"]["bias"]
            self.attention.in_proj_weight.copy_(torch.from_numpy(kernel.reshape(width, 3 * width).T))
            self.attention.in_proj_bias.copy_(torch.from_numpy(bias.reshape(-1)))

    def forward(self, embedding_E, upper_TD, lower_TD):
        """Of one caption, whose last token is its end token."""
        query = self.query[None, None]
        summary = self.norm(self.attention(query, upper_TD[None], upper_TD[None])[0][0, 0])
        x = torch.cat([upper_TD[-1], summary, lower_TD[-1], upper_TD.mean(0)])
        return embedding_E / embedding_E.norm() + self.log_alpha.exp() * self.perceptron(x)


def test_the_repair_and_its_gradient_are_pytorchs():
    params = {"text": {"norm_final": {"scale": np.ones(WIDTH)}, "projection": {"kernel": np.ones((WIDTH, EMBEDDING))}}}
    rng = np.random.default_rng(0)
    fresh = new_adapter(params, PeakPatch(width=HIDDEN), 0)["text"]["peakpatch"]
    adapter = jax.tree.map(lambda x: np.float32(x + 0.2 * rng.normal(size=x.shape)), jax.device_get(fresh))
    upper, lower = np.float32(rng.normal(size=(2, ROWS, TOKENS, WIDTH)))
    embedding = np.float32(rng.normal(size=(ROWS, 2, EMBEDDING)))
    target = np.float32(rng.normal(size=(ROWS, 2, EMBEDDING)))
    start, end, token = np.array(STARTS), np.array(ENDS), np.arange(TOKENS)
    is_own = (token >= start[:, :, None]) & (token <= end[:, :, None])

    def score(adapter):
        gelu = partial(activate, activation="gelu")
        found = repaired(adapter, jnp.asarray(embedding), (upper, lower), is_own, jnp.asarray(end), HEADS, gelu)
        found /= jnp.linalg.norm(found, axis=2, keepdims=True)
        return jnp.sum(found * target), found

    (_, found), gradient = jax.value_and_grad(score, has_aux=True)(jax.tree.map(jnp.asarray, adapter))
    theirs = TextRepair(adapter, HEADS)
    total = torch.zeros(())
    for row in range(ROWS):
        for slot in range(2):
            own = slice(STARTS[row][slot], ENDS[row][slot] + 1)
            states = (torch.from_numpy(x[row, own]) for x in (upper, lower))
            wanted = nn.functional.normalize(theirs(torch.from_numpy(embedding[row, slot]), *states), dim=0)
            np.testing.assert_allclose(found[row, slot], wanted.detach(), atol=1e-5)
            total = total + (wanted * torch.from_numpy(target[row, slot])).sum()
    total.backward()
    attention = theirs.attention
    pairs = [
        (gradient["query"], theirs.query.grad),
        (gradient["log_alpha"], theirs.log_alpha.grad),
        (gradient["attention"]["kernel"].reshape(WIDTH, -1).T, attention.in_proj_weight.grad),
        (gradient["attention"]["bias"].reshape(-1), attention.in_proj_bias.grad),
        (gradient["attended"]["kernel"].T, attention.out_proj.weight.grad),
        (gradient["norm_attended"]["scale"], theirs.norm.weight.grad),
        (gradient["first"]["kernel"].T, theirs.perceptron[0].weight.grad),
        (gradient["norm_first"]["bias"], theirs.perceptron[1].bias.grad),
        (gradient["second"]["kernel"].T, theirs.perceptron[3].weight.grad),
        (gradient["norm_second"]["scale"], theirs.perceptron[4].weight.grad),
        (gradient["last"]["kernel"].T, theirs.perceptron[6].weight.grad),
        (gradient["last"]["bias"], theirs.perceptron[6].bias.grad),
    ]
    for own, other in pairs:
        np.testing.assert_allclose(own, other, atol=1e-5 * float(other.abs().max()) + 1e-6)


def test_it_reads_the_states_that_transformers_gives(tmp_path):
    """The whole text tower with the adapter, on captions of different lengths."""
    pytest.importorskip("transformers")
    from support.torch_models import VOCAB, hf_clip_case

    case = hf_clip_case()
    model = read_model(case.save(tmp_path))
    rng = np.random.default_rng(0)
    kind = make_adapter("peakpatch", PeakPatch(width=HIDDEN))
    adapter = jax.tree.map(
        lambda x: np.float32(x + 0.2 * rng.normal(size=x.shape)), jax.device_get(kind.new(model.params))
    )
    tokens = np.zeros((3, case.context_length), np.int32)
    for row, length in zip(tokens, (4, 9, 20)):
        row[:length] = [VOCAB - 2, *rng.integers(1, VOCAB - 2, length - 2), VOCAB - 1]
    model.params = kind.adapt(model.params, adapter)
    found = unit(np.asarray(model.encode_text(tokens)))

    assert tapped_blocks(12) == (8, 6)
    theirs = TextRepair(adapter["text"]["peakpatch"], model.config.text.heads)
    text = case.model.text_model
    with torch.no_grad():
        out = text(torch.from_numpy(tokens).long(), output_hidden_states=True)
        upper, lower = (
            text.final_layer_norm(out.hidden_states[block]) for block in tapped_blocks(model.config.text.depth)
        )
        embedding = case.model.text_projection(out.pooler_output)
        for row, length in enumerate((4, 9, 20)):
            wanted = unit(theirs(embedding[row], upper[row, :length], lower[row, :length]).numpy())
            np.testing.assert_allclose(found[row], wanted, atol=1e-5)


def test_it_has_the_published_number_of_parameters():
    params = {"text": {"norm_final": {"scale": np.ones(512)}, "projection": {"kernel": np.ones((512, 512))}}}
    shapes = jax.eval_shape(lambda: new_adapter(params, PeakPatch(width=1024), 0))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == pytest.approx(4.73e6, rel=0.002)
