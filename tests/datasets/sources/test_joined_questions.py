"""Questions of a second file: which belongs to which image, and those that cannot be understood."""

from pathlib import Path

import pytest

from negjax.datasets.sources.joined_questions import join_questions, with_questions
from negjax.datasets.sources.table_source import table_source
from negjax.errors import NegjaxError

HEADER = "image_path,correct_answer,caption_0,caption_1\n"


def find(folder: Path, images: list[str], questions: str) -> tuple[dict[str, str], list[tuple[str, int, str]]]:
    """The right option of each image's question, and what is said of images without one."""
    (folder / "captions.csv").write_text("filepath,captions\n" + "".join(f"{image},['x']\n" for image in images))
    (folder / "questions.csv").write_text(questions)
    source = with_questions(table_source("captions", folder / "captions.csv", folder), folder / "questions.csv")
    left_out: list[tuple[str, int, str]] = []
    (shard,) = join_questions(source, folder / "index.npy", skip_malformed=True).shards
    rows = shard.read(lambda *skipped: left_out.append(skipped))
    return {row.path: row.record["options"][row.record["answer"]] for row in rows}, left_out


@pytest.mark.parametrize(
    ("image", "paths", "expected"),
    [
        ("/mnt/cc12m/00000/1.jpg", ["/data/00000/1.jpg"], 0),  # another root
        ("/mnt/sub/0.jpg", ["/data/other/0.jpg"], "row 0 is of data/other/0.jpg"),
        ("/mnt/sub/0.jpg", ["/data/other/0.jpg", "/data/sub/0.jpg"], 1),
        ("/mnt/sub/0.jpg", ["/data/other/0.jpg", "0.jpg"], 1),
        ("/mnt/sub/0.jpg", ["0.jpg", "sub\\0.jpg", "a/sub/0.jpg"], 1),  # of several, the first
        ("/mnt/sub/0.jpg", ["a/sub/0.jpg", "mnt/sub/0.jpg"], 1),
        ("/mnt/sub/0.jpg", ["a/sub/0.jpg", "b/sub/0.jpg"], "rows 0 and 1 are of images of several folders"),
        ("/m/sub/0.jpg", ["sub/0.jpg", "a/sub/0.jpg", "b/sub/0.jpg"], "rows 1 and 2 are of images of several folders"),
        ("/m/sub/0.jpg", ["a/sub/0.jpg", "b/sub/0.jpg", "sub/0.jpg"], "rows 0 and 1 are of images of several folders"),
        ("0.jpg", ["a/0.jpg"], 0),  # a sample of a tar file has no folder
        ("0.jpg", ["a/0.jpg", "b/0.jpg"], "rows 0 and 1 are of images of several folders"),
        ("0.jpg", ["a/0.jpg", "a/0.jpg"], 0),
    ],
)
def test_which_question_is_an_images(tmp_path, image, paths, expected):
    rows = "".join(f"{path},0,right {row},wrong\n" for row, path in enumerate(paths))
    found, left_out = find(tmp_path, [image], HEADER + rows)
    if isinstance(expected, int):
        assert (found, left_out) == ({image: f"right {expected}"}, [])
    else:
        assert (found, [(reason, row) for reason, row, _ in left_out]) == ({}, [("unsure", 0)])
        assert left_out[0][2].endswith(expected)


def test_a_question_that_cannot_be_understood_is_not_the_same_as_none(tmp_path):
    """Too many cells, too few, no such option; the third has lost its path, too."""
    rows = ["1.jpg,0,a, b,c", "2.jpg,0,a", "no,3.jpg,0,a,b", "4.jpg,2,a,b", "5.jpg,1,a,b"]
    images = [f"x/{number}.jpg" for number in range(1, 7)]
    found, left_out = find(tmp_path, images, HEADER + "".join(f"{row}\n" for row in rows))
    assert found == {"x/5.jpg": "b"}
    assert [(reason, row) for reason, row, _ in left_out] == [
        ("invalid", 0),
        ("invalid", 1),
        ("unasked", 2),
        ("invalid", 3),
        ("unasked", 5),
    ]
    assert "questions.csv row 0 (line 2): 5 cells where the header has 4 columns" in left_out[0][2]
    source = table_source("captions", tmp_path / "captions.csv", tmp_path)
    source = with_questions(source, tmp_path / "questions.csv")
    told = "4 of 5 questions are malformed"
    assert join_questions(source, tmp_path / "index.npy", skip_malformed=True).notes[0].startswith(told)
    with pytest.raises(NegjaxError, match=told):
        join_questions(source, tmp_path / "index.npy", skip_malformed=False)
