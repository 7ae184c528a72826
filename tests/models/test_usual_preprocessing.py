"""The preprocessing that is assumed for an architecture is what open_clip has for most of its weights."""

from support.open_clip_tags import preprocess_of_tags, usual_preprocess

from negjax.models.presets import PRESETS, default_preprocess, preset


def test_of_every_preset_with_published_weights():
    usual = usual_preprocess()
    named = {name: config for name, config in PRESETS.items() if name in usual}
    assert {config.family for config in named.values()} >= {"clip", "siglip", "clipa"}
    assert len(named) > 40
    for name, config in named.items():
        assert default_preprocess(config) == usual[name], name
    assert default_preprocess(preset("ViT-H-14-378-quickgelu")).resize_mode == "squash"


def test_the_table_tells_weights_of_one_architecture_apart():
    tags = preprocess_of_tags()
    assert tags["ViT-L-14", "laion2b_s32b_b82k"].mean == (0.5, 0.5, 0.5)
    assert tags["ViT-L-14", "openai"].mean[0] == 0.48145466
    assert tags["ViT-H-14", "dfn5b"].resize_mode == "squash"
