"""The sets of scenes: reproducible, without held-out pairs in training, and with every text true of its image."""

import dataclasses
import io
import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.caption_reader import read
from support.folders import digests

from negjax.datasets.records import Record
from negjax.datasets.scenes.combinations import CombinationSplit
from negjax.datasets.scenes.draw import draw_scene, encode_png
from negjax.datasets.scenes.objects import OBJECT_NAMES
from negjax.datasets.scenes.sets import SCENE_TASKS, SCENE_TRAINING_SETS, Size, build_scenes
from negjax.datasets.stored.store import list_sets, open_set
from negjax.synthesis.questions import MCQ_KINDS, NEGMCQ_KINDS, TRUTH_TABLE_CELLS

SEED = 7  # of the fixture `scenes`
TINY = Size(pretraining=12, finetuning=120, galleries=1, gallery=24, asked=48, questions=9, groups=2, named=1)


def rows(folder: Path, name: str) -> list[Record]:
    return list(open_set(folder, name).rows())


def find_names(text: str) -> set[str]:
    """The objects that a text names, affirmed or negated."""
    return set(re.findall(rf"\b(?:{'|'.join(OBJECT_NAMES)})\b", text))


def held_out_pairs() -> set[frozenset[str]]:
    return {frozenset(pair) for pair in CombinationSplit(SEED).held_out_pairs}


def pairs(names: set[str] | list[str]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in combinations(names, 2)}


@pytest.fixture(scope="module")
def objects_by_sha256(drawn) -> dict[str, set[str]]:
    """The objects of each image by its sha256."""
    return drawn[1]


def test_same_seed_same_bytes_and_another_seed_differs(tmp_path):
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        build_scenes(tmp_path / folder, seed, TINY)
    first, again, other = (digests(tmp_path / folder) for folder in "abc")
    assert len(first) >= 3 * len((*SCENE_TRAINING_SETS, *SCENE_TASKS))
    assert first == again
    assert first.keys() == other.keys()
    for name in (*SCENE_TRAINING_SETS, *SCENE_TASKS):
        contents = [open_set(tmp_path / folder, name).metadata["content"] for folder in "abc"]
        assert contents[0] == contents[1] != contents[2]
        records = [path for path in first if path.startswith(name) and "array_record" in path]
        assert records
        assert all(first[path] != other[path] for path in records)


def test_the_metadata_of_the_sets(scenes):
    listed = {each.name: each for each in list_sets(scenes)}
    assert set(listed) == {*SCENE_TRAINING_SETS, *SCENE_TASKS}
    kinds = {name: listed[name].task_kind for name in SCENE_TASKS}
    assert list(kinds.values()) == ["retrieval", "retrieval", "mcq", "truth_table", "zeroshot"]
    assert [listed[name].negated for name in SCENE_TASKS] == [False, True, True, True, False]
    for name in SCENE_TRAINING_SETS:
        assert listed[name].task_kind == "train"
        assert re.fullmatch(r"resized to \d+", open_set(scenes, name).metadata["altered"])
    assert all(open_set(scenes, name).metadata["altered"] == "" for name in SCENE_TASKS)
    assert open_set(scenes, "scenes_balanced").metadata["group_size"] == 4
    assert [listed[name].rows for name in ("scenes_captions", "scenes_negcap", "scenes_mcq")] == [96, 240, 60]
    assert len(OBJECT_NAMES) == len(set(OBJECT_NAMES)) >= 24


def test_images_show_the_objects_of_their_records(scenes, objects_by_sha256):
    """Drawn again from the names, image number and seed: the same pixels."""
    for name in ("scenes_captions", "scenes_negcap", "scenes_retrieval", "scenes_negated_retrieval"):
        assert all(objects_by_sha256[row["media_sha256"]] == set(row["positive_objects"]) for row in rows(scenes, name))
    for i, row in enumerate(rows(scenes, "scenes_retrieval")[:20]):
        assert row["media"] == encode_png(draw_scene(row["positive_objects"], np.random.default_rng([SEED, 3, i])))
    side = int(open_set(scenes, "scenes_negcap").metadata["altered"].removeprefix("resized to "))
    for part, name in ((1, "scenes_captions"), (2, "scenes_negcap")):
        for i, row in enumerate(rows(scenes, name)[:20]):
            image = draw_scene(row["positive_objects"], np.random.default_rng([SEED, part, i]))
            small = image.resize((side, side), Image.Resampling.BICUBIC)
            np.testing.assert_array_equal(Image.open(io.BytesIO(row["media"])), small)


def test_a_pair_in_ten_or_so_is_held_out():
    for seed in range(20):
        split = CombinationSplit(seed)
        assert not set(split.held_out_pairs) & set(split.training_pairs)
        assert len(pairs(list(OBJECT_NAMES))) == len(split.held_out_pairs) + len(split.training_pairs)
        assert 0.05 < len(split.held_out_pairs) / len(pairs(list(OBJECT_NAMES))) < 0.25
    assert (
        CombinationSplit(1).held_out_pairs == CombinationSplit(1).held_out_pairs != CombinationSplit(2).held_out_pairs
    )


def test_held_out_pairs_are_never_together_in_training(scenes, objects_by_sha256):
    """Neither in an image nor in its record's captions, absent objects and options together."""
    seen_pairs: set[frozenset[str]] = set()
    for name in SCENE_TRAINING_SETS:
        for row in rows(scenes, name):
            image = objects_by_sha256[row["media_sha256"]]
            caption_names = find_names(" ; ".join([*row.get("captions", []), *row.get("negated_captions", [])]))
            caption_names |= set(row.get("negative_objects", []))
            option_names = find_names(" ; ".join(row.get("options", [])))
            assert caption_names | option_names
            seen_pairs |= pairs(image | caption_names) | pairs(option_names)
            if name != "scenes_balanced":  # whose questions are also put to images of other objects
                seen_pairs |= pairs(image | caption_names | option_names)
    assert not seen_pairs & held_out_pairs()
    assert len(seen_pairs) > 0.9 * len(CombinationSplit(SEED).training_pairs)


def test_test_images_and_truth_tables_hold_a_held_out_pair(scenes):
    for name in ("scenes_retrieval", "scenes_negated_retrieval"):
        for row in rows(scenes, name):
            assert 2 <= len(set(row["positive_objects"])) == len(row["positive_objects"]) <= 4
            assert pairs(row["positive_objects"]) & held_out_pairs()
    for row in rows(scenes, "scenes_truth_table"):
        assert frozenset(find_names(" ; ".join(row["options"]))) in held_out_pairs()


def test_galleries_hold_different_sets_of_objects(scenes):
    for name in ("scenes_retrieval", "scenes_negated_retrieval"):
        galleries = defaultdict(list)
        for row in rows(scenes, name):
            galleries[row["group"]].append(frozenset(row["positive_objects"]))
        assert sorted(galleries) == [0, 1]
        for gallery in galleries.values():
            assert len(gallery) == len(set(gallery)) == 40
    plain, negated = (rows(scenes, name) for name in ("scenes_retrieval", "scenes_negated_retrieval"))
    assert [row["media_sha256"] for row in plain] == [row["media_sha256"] for row in negated]


def test_a_large_gallery_repeats_no_set_in_another_order():
    gallery = CombinationSplit(SEED).draw_gallery(np.random.default_rng(0), 1500)
    assert len({frozenset(names) for names in gallery}) == len(gallery) == 1500


def test_captions_name_every_object_and_nothing_else(scenes):
    for name in ("scenes_captions", "scenes_negcap", "scenes_retrieval"):
        for row in rows(scenes, name):
            for caption in row["captions"]:
                present, absent = read(caption, OBJECT_NAMES)
                assert sorted(present) == sorted(row["positive_objects"]), caption
                assert absent == []


def test_negated_captions_name_one_absent_object(scenes):
    for name, column in (("scenes_negcap", "negated_captions"), ("scenes_negated_retrieval", "captions")):
        for row in rows(scenes, name):
            assert len(row["negative_objects"]) == len(set(row["negative_objects"])) == len(row[column])
            assert not set(row["negative_objects"]) & set(row["positive_objects"])
            for caption, missing in zip(row[column], row["negative_objects"]):
                present, absent = read(caption, OBJECT_NAMES)
                assert (sorted(present), absent) == (sorted(row["positive_objects"]), [missing]), caption


def is_true(caption: str, scene: set[str]) -> bool:
    present, absent = read(caption, OBJECT_NAMES)
    assert present or absent, caption
    return scene.issuperset(present) and not scene & set(absent)


@pytest.mark.parametrize(("name", "kinds"), [("scenes_mcq", MCQ_KINDS), ("scenes_negmcq", NEGMCQ_KINDS)])
def test_one_option_of_each_question_is_true(scenes, objects_by_sha256, name, kinds):
    kind_counts, answers = Counter(), Counter()
    for row in rows(scenes, name):
        scene = objects_by_sha256[row["media_sha256"]]
        assert len(row["options"]) == 4
        assert [is_true(option, scene) for option in row["options"]] == [i == row["answer"] for i in range(4)]
        kind_counts[row["kind"]] += 1
        answers[row["answer"]] += 1
        if name == "scenes_mcq":
            assert all(
                re.fullmatch(
                    r"This image (features an? \w+(, but not an? \w+| and an? \w+)?|does not feature an? \w+)", x
                )
                for x in row["options"]
            )
    assert set(kind_counts) == set(kinds)
    assert max(kind_counts.values()) - min(kind_counts.values()) <= 1
    assert len(answers) == 4


@pytest.mark.parametrize("name", ["scenes_truth_table", "scenes_balanced"])
def test_truth_tables_agree_with_their_images(scenes, objects_by_sha256, name):
    table, uses = rows(scenes, name), Counter()
    assert len(table) % 4 == 0
    for start in range(0, len(table), 4):
        four = table[start : start + 4]
        assert {row["group"] for row in four} == {start // 4}
        assert [row["kind"] for row in four] == list(TRUTH_TABLE_CELLS)
        assert len({tuple(row["options"]) for row in four}) == 1
        assert sorted(row["answer"] for row in four) == [0, 1, 2, 3]
        for row in four:
            scene = objects_by_sha256[row["media_sha256"]]
            assert [is_true(option, scene) for option in row["options"]] == [i == row["answer"] for i in range(4)]
        uses.update(row["media_sha256"] for row in four)
    assert max(uses.values()) <= Size().reuse


def test_zero_shot_images_hold_their_label_alone(scenes):
    data = open_set(scenes, "scenes_zeroshot")
    names = data.metadata["classnames"]
    assert len(names) == len(set(names)) >= 24
    assert [re.sub(r"^an? ", "", name) for name in names] == list(OBJECT_NAMES)
    assert all(name.startswith("an " if name.split()[1][0] in "aeiou" else "a ") for name in names)
    assert all(template.count("{}") == 1 for template in data.metadata["templates"])
    labels = Counter(row["label"] for row in data.rows())
    assert labels == dict.fromkeys(range(len(OBJECT_NAMES)), 2)
    for i, row in enumerate(data.rows()):
        assert row["media"] == encode_png(draw_scene([OBJECT_NAMES[row["label"]]], np.random.default_rng([SEED, 4, i])))


def test_too_few_images_for_the_truth_tables_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"\d+ images give only \d+ of 900 groups"):
        build_scenes(tmp_path, 3, dataclasses.replace(TINY, groups=900))
