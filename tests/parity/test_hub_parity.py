"""Weights by name, out of folders that play the hub: what is asked for, and open_clip's own answers for its tags."""

import fnmatch
import json
import shutil

import huggingface_hub
import numpy as np
import pytest

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="needs PyTorch's stack: pip install 'negjax[torch]'")
open_clip = pytest.importorskip("open_clip")
pytest.importorskip("transformers")

from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict  # noqa: E402
from PIL import Image  # noqa: E402
from support.open_clip_tags import FILE, from_open_clip  # noqa: E402
from support.torch_models import clip_case, clipa_case, hf_clip_case, write_tokenizer  # noqa: E402
from support.trees import unit  # noqa: E402

import negjax  # noqa: E402
from negjax.errors import NegjaxError  # noqa: E402
from negjax.media.images import normalise, to_pixels  # noqa: E402
from negjax.models.presets import PRESETS, preset, variant_names  # noqa: E402
from negjax.weights.families.table import family_of  # noqa: E402
from negjax.weights.families.tokenizer import has_clip_tokenizer  # noqa: E402
from negjax.weights.hub import config_of_tag  # noqa: E402
from negjax.weights.open_clip_config import read_config, read_preprocess_cfg  # noqa: E402

TEXTS = ["a photo of a cat", "No dog!", "of   a\tcat"]
HALF = (0.5, 0.5, 0.5)


class Hub:
    """Repositories in `remote`, a cache in `cache`, and the two functions of huggingface_hub that reach them."""

    def __init__(self, folder):
        self.remote, self.cache, self.online = folder / "remote", folder / "cache", True

    def repository(self, name: str):
        (self.remote / name).mkdir(parents=True)
        return self.remote / name

    def list_repo_files(self, repository: str) -> list[str]:
        if not self.online:
            raise huggingface_hub.errors.OfflineModeIsEnabled("offline")
        return [path.name for path in (self.remote / repository).iterdir()]

    def snapshot_download(self, repository: str, *, allow_patterns=None, local_files_only=False) -> str:
        folder = self.cache / repository
        if local_files_only:
            if not folder.exists():
                raise huggingface_hub.errors.LocalEntryNotFoundError("not cached")
            return str(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.list_repo_files(repository):
            if any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns):
                shutil.copy(self.remote / repository / name, folder / name)
        return str(folder)


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Hub:
    hub = Hub(tmp_path)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, name: hub.list_repo_files(name))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    return hub


def test_of_the_weights_only_one_form_is_fetched(hub):
    """Both .safetensors and .bin, and other libraries' files beside them."""
    case, folder = hf_clip_case(), hub.repository("org/clip")
    case.save(folder)
    for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "README.md"):
        (folder / name).write_text("large")
    model, _, _ = negjax.load("hf-hub:org/clip")
    assert model.info["source"] == "hf-hub:org/clip"
    fetched = {path.name for path in (hub.cache / "org/clip").iterdir()}
    assert "model.safetensors" in fetched
    assert not fetched & {"pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "README.md"}
    hub.online = False  # the second time from the cache
    again, _, _ = negjax.load("hf-hub:org/clip")
    np.testing.assert_array_equal(again.params["text"]["tokens"], model.params["text"]["tokens"])
    with pytest.raises(NegjaxError, match=r"hf-hub:org/other cannot be downloaded \(OfflineModeIsEnabled"):
        negjax.load("hf-hub:org/other")


def test_shards_belong_to_their_index(hub):
    case, folder = hf_clip_case(), hub.repository("org/sharded")
    case.model.save_pretrained(folder, max_shard_size="1MB")
    (folder / "pytorch_model.bin").write_text("large")
    model, _, _ = negjax.load("hf-hub:org/sharded")
    assert len(list((hub.cache / "org/sharded").glob("model-*.safetensors"))) > 1
    assert not (hub.cache / "org/sharded/pytorch_model.bin").exists()
    assert model.info["arch"] == "custom"


def test_a_repository_without_weights(hub):
    (hub.repository("org/empty") / "README.md").write_text("x")
    with pytest.raises(NegjaxError, match=r"hf-hub:org/empty has none of the weights open_clip_model\.safetensors"):
        negjax.load("hf-hub:org/empty")


@pytest.fixture
def tag(hub, tmp_path, monkeypatch):
    """open_clip:mini/tag, a CLIPA whose tokenizer is in another repository, made known to open_clip."""
    case = clipa_case()
    weights = case.save(tmp_path)
    model_cfg = json.loads((tmp_path / "open_clip_config.json").read_text())["model_cfg"]
    model_cfg["text_cfg"] |= {"hf_tokenizer_name": "org/words", "tokenizer_kwargs": {"strip_sep_token": True}}
    (tmp_path / "mini.json").write_text(json.dumps(model_cfg))
    for name in ("open_clip_config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    write_tokenizer(hub.repository("org/words"))
    open_clip.add_model_config(tmp_path / "mini.json")
    way = {"mean": HALF, "std": HALF, "interpolation": "bilinear", "resize_mode": "squash"}
    pretrained = {"file": str(weights), **way, "quick_gelu": True}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "mini", {"tag": pretrained})
    yield case
    open_clip.factory._MODEL_CONFIGS.pop("mini", None)


@pytest.mark.usefixtures("tag")
def test_a_tag_of_open_clip_in_a_fresh_cache(hub, test_data):
    """Preprocessing, activation and tokenizer are open_clip's for the tag; the tokenizer comes from its repository."""
    photos = sorted((test_data / "coco_val2017").glob("*.jpg"))[:3]
    theirs, _, transform = open_clip.create_model_and_transforms("mini", "tag", force_quick_gelu=True)
    theirs.eval()
    model, preprocess, tokenize = negjax.load("open_clip:mini/tag")
    assert model.info["source"] == "open_clip:mini/tag"
    assert model.info["activation"] == "quick_gelu"
    assert "preprocess" not in model.info
    pixels = np.stack([preprocess(photo) for photo in photos])
    images = torch.stack([transform(Image.open(photo).convert("RGB")) for photo in photos])
    np.testing.assert_allclose(normalise(pixels, model.preprocess), images.permute(0, 2, 3, 1), atol=1e-6)
    ids = open_clip.tokenizer.HFTokenizer(str(hub.remote / "org/words"), 12, strip_sep_token=True)(TEXTS)
    np.testing.assert_array_equal(tokenize(TEXTS), ids)
    with torch.no_grad():
        image, text = theirs.encode_image(images, True).numpy(), theirs.encode_text(ids, True).numpy()
    np.testing.assert_allclose(unit(model.encode_image(pixels)), image, atol=1e-5)
    np.testing.assert_allclose(unit(model.encode_text(tokenize(TEXTS))), text, atol=1e-5)
    with pytest.raises(NegjaxError, match="open_clip has no weights 'other' of 'mini'; its tags are tag"):
        negjax.load("open_clip:mini/other")


@pytest.mark.parametrize(
    "name", [n for n in open_clip.list_models() if n.startswith(("MobileCLIP-S", "MobileCLIP2-S"))]
)
def test_an_unsupported_tower_is_named_before_weights_are_downloaded(name):
    tag, tower = open_clip.list_pretrained_tags_by_model(name)[0], f"fastvit_mci{int(name[-1])}"
    message = f"open_clip:{name}/{tag}: its image tower is timm's {tower}, which is not supported"
    with pytest.raises(NegjaxError) as raised:
        negjax.load(f"open_clip:{name}/{tag}")
    assert str(raised.value) == message


def test_a_hub_folder_of_open_clip_names_its_tokenizer(tag, hub):
    case, folder = tag, hub.repository("org/clipa")
    case.save(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "org/words"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    _, _, tokenize = negjax.load("hf-hub:org/clipa")
    ids = open_clip.tokenizer.HFTokenizer(str(hub.remote / "org/words"), 12)(TEXTS)
    np.testing.assert_array_equal(tokenize(TEXTS), ids)


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
def test_cleaning_before_clips_own_vocabulary(clean, tmp_path):
    case = clip_case()
    case.save(tmp_path)
    file = tmp_path / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"clean": clean}
    file.write_text(json.dumps(config))
    model, _, tokenize = negjax.load(tmp_path)
    ids = open_clip.tokenizer.SimpleTokenizer(context_length=case.context_length, clean=clean)(TEXTS)
    np.testing.assert_array_equal(tokenize(TEXTS), ids)
    negjax.weights.write.write_open_clip(model, tmp_path / "again")
    again = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'again'}")
    np.testing.assert_array_equal(again(TEXTS), ids)
    negjax.weights.write.write_negjax(model, tmp_path / "ours")
    np.testing.assert_array_equal(negjax.load(tmp_path / "ours")[2](TEXTS), ids)


def test_the_cleaning_of_texts_of_every_name_is_open_clips():
    """With which --arch NAME reads the tokenizer beside weights in open_clip's format."""
    named = {name: preset(name) for base in PRESETS for name in variant_names(base) if open_clip.get_model_config(name)}
    with_tokenizers = 0
    for name, config in named.items():
        text_cfg = open_clip.get_model_config(name)["text_cfg"]
        assert has_clip_tokenizer(config) == (not text_cfg.get("hf_tokenizer_name")), name
        assert family_of(config).open_clip.tokenizer_kwargs(name) == text_cfg.get("tokenizer_kwargs", {}), name
        with_tokenizers += bool(text_cfg.get("hf_tokenizer_name"))
    assert with_tokenizers > 40


def test_the_table_of_tags_is_open_clips():
    assert json.loads(FILE.read_text()) == from_open_clip()


def test_the_preprocessing_of_every_tag_is_open_clips(test_data):
    """All tags of the installed open_clip, of architectures that are read and others alike; every pixel and value."""
    photos = sorted((test_data / "coco_val2017").glob("*.jpg"))[:2]
    pictures, checked, ways = [Image.open(photo).convert("RGB") for photo in photos], 0, set()
    for arch, tag in open_clip.list_pretrained():
        model_cfg, pretrained = open_clip.get_model_config(arch), get_pretrained_cfg(arch, tag)
        config = config_of_tag(model_cfg, pretrained)
        size = model_cfg["vision_cfg"]["image_size"]
        ours = read_preprocess_cfg(config["preprocess_cfg"], size)
        try:
            assert read_config(json.dumps(config), arch)[1] == ours
            checked += 1
        except NegjaxError:  # an architecture of no family
            pass
        theirs = PreprocessCfg(**{**merge_preprocess_dict(PreprocessCfg(), pretrained), "size": size})
        if ours not in ways:
            transform = image_transform_v2(theirs, is_train=False)
            expected = np.stack([transform(picture).numpy().transpose(1, 2, 0) for picture in pictures])
            pixels = np.stack([to_pixels(picture, ours) for picture in pictures])
            np.testing.assert_allclose(normalise(pixels, ours), expected, atol=1e-6, err_msg=f"{arch}/{tag}")
            ways.add(ours)
        assert (ours.mean, ours.std) == (tuple(theirs.mean), tuple(theirs.std))
    assert checked >= 118
    assert len(ways) > 15
