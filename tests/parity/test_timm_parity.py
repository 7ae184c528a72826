"""timm's towers in open_clip's PE-Core, EVA-CLIP and MobileCLIP: full sizes, image sizes, from the JPEG on."""

import dataclasses
import json

import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
pytest.importorskip("timm")
pytest.importorskip("transformers")

from etils import epath  # noqa: E402
from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from support.torch_models import CASES, randomise  # noqa: E402
from support.trees import unit  # noqa: E402

import negjax  # noqa: E402
from negjax.errors import NegjaxError  # noqa: E402
from negjax.models import clip  # noqa: E402
from negjax.models.presets import preset  # noqa: E402
from negjax.weights.entries import entries  # noqa: E402
from negjax.weights.families.table import family_of  # noqa: E402
from negjax.weights.open_clip_config import read_model_cfg  # noqa: E402
from negjax.weights.read import read_model  # noqa: E402
from negjax.weights.write import write_hf, write_open_clip  # noqa: E402

NAMES = [name for name in open_clip.list_models() if name.startswith(("PE-Core-", "EVA0", "MobileCLIP"))]
NAMES = [name for name in NAMES if not name.startswith(("MobileCLIP-S", "MobileCLIP2-S"))]  # timm's FastViT


@pytest.mark.parametrize("name", NAMES)
def test_the_presets_are_open_clips(name):
    """Names and shapes of all tensors, and what the blocks compute, at full size and without memory."""
    cfg, config = open_clip.get_model_config(name), preset(name)
    assert dataclasses.replace(read_model_cfg(cfg, epath.Path()), name=name) == config  # MobileCLIP2-B is -B
    cfg.pop("custom_text")
    with torch.device("meta"):
        theirs = open_clip.model.CustomTextCLIP(**cfg)
    want = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    want = {name: shape for name, shape in want.items() if not name.endswith("num_batches_tracked")}
    format, got = family_of(config).open_clip.format, {}
    for entry in entries(format, config):
        got |= zip(entry.names, entry.tensor_shapes())
    assert got == want
    trunk, vision = theirs.visual.trunk, config.vision
    assert (trunk.blocks[0].attn.num_heads, trunk.norm.eps) == (vision.heads, vision.layer_norm_eps)
    assert trunk.patch_embed.img_size == (vision.image_size,) * 2
    if trunk.attn_pool is not None:
        assert (trunk.attn_pool.num_heads, trunk.attn_pool.norm.eps) == (vision.pool_heads, vision.layer_norm_eps)
    rope = getattr(trunk, "rope", None)
    if rope is not None:
        assert rope.ref_feat_shape == (vision.rotary_grid,) * 2
        assert (rope.grid_offset, rope.temperature) == (vision.rotary_start, 10000)
        assert rope.grid_indexing == {"columns_first": "xy", "rows_first": "ij"}[vision.rotary]
    form = "res_post_norm" if type(trunk.blocks[0]).__name__ == "EvaBlockPostNorm" else "pre_norm"
    assert vision.block in (form, "sub_norm")
    assert (rope is None) == (vision.rotary == "none")
    if vision.stem_width:
        first, second, last = trunk.patch_embed.backbone
        assert [layer.conv.stride for layer in (first, second, last)] == [(4, 4), (2, 2), (2, 2)]
        assert (first.bn.eps, type(first.bn.act), type(second.bn.act)) == (1e-5, torch.nn.GELU, torch.nn.GELU)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("PE-Core", "EVA0", "MobileCLIP"))])
def test_another_image_size_is_that_of_timm(name, tmp_path):
    """Learned positions are resized, coordinates of rotary ones scaled; back goes only what timm has a name for."""
    case = CASES[name]()
    case.save(tmp_path)
    config = json.loads((tmp_path / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["image_size"] = 42
    (tmp_path / "large.json").write_text(json.dumps(config))
    model = read_model(tmp_path, arch=str(tmp_path / "large.json"))
    pixels = torch.randn(2, 3, 42, 42, generator=torch.Generator().manual_seed(0))
    case.model.visual.set_input_size(42)
    with torch.no_grad():
        image = case.model.encode_image(pixels, normalize=True).numpy()
    own = unit(clip.encode_image(model.config, model.params, pixels.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(own, image, atol=1e-5)
    with pytest.raises(NegjaxError, match=r"none of these sizes for images of 42 pixels with \w+: use --to negjax"):
        write_open_clip(model, tmp_path / "back")
    with pytest.raises(NegjaxError, match="transformers has no model of this form"):
        write_hf(model, tmp_path / "back")


@pytest.mark.parametrize("name", ["PE-Core-T-16-384", "EVA02-B-16", "MobileCLIP-B"])
def test_from_the_jpeg_to_the_cosine(name, test_data, tmp_path):
    """Without a config, so that the preprocessing is assumed; that of open_clip's weights."""
    theirs = randomise(open_clip.create_model(name))
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    model, preprocess, tokenize = negjax.load(tmp_path / "weights.safetensors", arch=name)
    tag = open_clip.pretrained.list_pretrained_tags_by_model(name)[0]
    settings = merge_preprocess_dict(PreprocessCfg(), get_pretrained_cfg(name, tag))
    transform = image_transform_v2(PreprocessCfg(**{**settings, "size": model.config.vision.image_size}), False)
    photos = sorted((test_data / "coco_val2017").glob("*.jpg"))[:3]
    captions = ["a kitchen with no people", "Two dogs on a beach, but no ball", "no cat"]
    tokens = np.asarray(tokenize(captions))
    np.testing.assert_array_equal(tokens, open_clip.get_tokenizer(name)(captions).numpy())
    with torch.no_grad():
        images = torch.stack([transform(Image.open(photo)) for photo in photos])
        image = theirs.encode_image(images, normalize=True).numpy()
        text = theirs.encode_text(torch.from_numpy(tokens).long(), normalize=True).numpy()
    own_image = unit(model.encode_image(np.stack([preprocess(photo) for photo in photos])))
    np.testing.assert_allclose(own_image, image, atol=1e-4)
    np.testing.assert_allclose(own_image @ unit(model.encode_text(tokens)).T, image @ text.T, atol=1e-4)
    assert np.abs(image[0] - image[1]).max() > 1e-3
