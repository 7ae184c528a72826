"""Stage verify by a vision-language model: which claims survive, and which pictures are sent."""

import base64
import io
import json

import pytest
from PIL import Image
from support.command import run_command
from support.images import noise_png
from support.scripted_server import Reply, failure, scripted_server, user_text

from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.synth.server.answer_cache import AnswerCache
from negjax.datasets.synth.server.language_server import LanguageServer
from negjax.datasets.synth.server.prompts import PICTURE_SIDE
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.datasets.synth.server.vision import OBJECTS_PER_REQUEST, ServerVerifier
from negjax.datasets.synth.shards import read_stage
from negjax.errors import NegjaxError

SEEN = {"dog": "yes", "frisbee": "yes", "ball": "no", "cat": "no", "kite": "unsure"}


def eyes(request: dict) -> Reply:
    names = json.loads(user_text(request))
    answers = [{"object": name, "seen": SEEN.get(name, "no")} for name in names]
    return Reply(json.dumps({"answers": answers}))


def row(path: str, present: list[str], absent: list[str]) -> dict:
    return {"filepath": path, "positive_objects": present, "negative_objects": absent}


def check(script, folder, rows, **settings):
    with (
        scripted_server(script) as server,
        AnswerCache(folder / "answers.sqlite") as cache,
        LanguageServer(ServerSettings(server.url, "eyes", backoff=0.001, tries=2), cache) as language_server,
    ):
        verifier = ServerVerifier(language_server, MediaRoot(folder), **settings)
        return [verdict.refuted for verdict in verifier.check(rows)], server


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "a.png").write_bytes(noise_png(1, (1000, 500)))
    (tmp_path / "b.png").write_bytes(noise_png(2, (20, 30)))
    return tmp_path


def test_an_absent_object_stays_only_if_it_is_not_seen(photos):
    rows = [row("x/a.png", ["dog", "ball"], ["frisbee", "cat", "kite"]), row("b.png", [], ["cat"])]
    refuted, server = check(eyes, photos, rows)
    assert refuted == [{"ball", "frisbee", "kite"}, set()]
    pictures = []
    for request in sorted(server.requests, key=lambda request: len(user_text(request))):
        (part,) = [part for part in request["messages"][1]["content"] if part["type"] == "image_url"]
        kind, _, data = part["image_url"]["url"].partition(",")
        assert kind == "data:image/jpeg;base64"
        pictures.append(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))
    assert [picture.size for picture in pictures] == [(20, 30), (PICTURE_SIDE, PICTURE_SIDE // 2)]
    assert check(lambda _: failure(500, "gone"), photos, rows)[0] == refuted  # from the cache


def test_another_picture_is_another_question(photos):
    rows = [row("b.png", [], ["cat"])]
    check(eyes, photos, rows)
    (photos / "b.png").write_bytes(noise_png(3, (20, 30)))
    assert len(check(eyes, photos, rows)[1].requests) == 1


def test_many_objects_are_asked_about_in_parts(photos):
    names = [f"thing {n}" for n in range(2 * OBJECTS_PER_REQUEST + 1)]
    refuted, server = check(eyes, photos, [row("b.png", [], names)])
    assert refuted == [set()]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [{"object": "cat", "seen": "maybe"}],
        [{"object": "dog", "seen": "no"}],
        [{"object": "cat"}],
        [{"object": ["cat"], "seen": "no"}],
        ["no"],
        "no",
    ],
)
def test_what_is_not_answered_is_not_claimed(photos, answers):
    script = lambda _: Reply(json.dumps({"answers": answers}))  # noqa: E731
    refuted, server = check(script, photos, [row("b.png", ["dog"], ["cat"])])
    assert refuted == [{"cat"}]
    assert len(server.requests) == 3


def test_pictures_that_are_missing_or_broken(photos):
    rows = [row("../../etc/passwd", [], ["cat"]), row("b.png", [], ["cat"])]
    with pytest.raises(NegjaxError, match=r"passwd is not below .*: correct --media-root, or leave such images out"):
        check(eyes, photos, rows)
    assert check(eyes, photos, rows, skip_missing=True)[0] == [{"cat"}, set()]
    (photos / "b.png").write_bytes(b"no picture")
    refuted, server = check(eyes, photos, rows, skip_missing=True)
    assert refuted == [{"cat"}, {"cat"}]
    assert not server.requests


def test_the_stage_asks_once_about_each_picture(tmp_path, capsys):
    captions = ["A dog on a beach", "A boat on a lake", "A guitar on a sofa"]
    rows = [f"{i}.png,{captions[i % 3]}" for i in range(18)]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *rows]))
    for i in range(18):
        (tmp_path / f"{i}.png").write_bytes(noise_png(i, (16, 16)))
    out = ["--out", tmp_path / "out"]
    source = ["--csv", tmp_path / "captions.csv", "--media-root", tmp_path]
    assert run_command(capsys, "synth", "extract", *source, *out)[0] == 0
    assert run_command(capsys, "synth", "propose", *out, "--max-risk", 0.5)[0] == 0
    with scripted_server(eyes) as server:
        words = ["synth", "verify", *out, "--media-root", tmp_path, "--server", server.url, "--server-model", "eyes"]
        code, told, _ = run_command(capsys, *words, "--dry-run")
        assert (code, "verify: about 18 requests to eyes" in told, len(server.requests)) == (0, True, 0)
        code, told, err = run_command(capsys, *words)
        assert code == 0, err
        assert "verify: 18 requests to eyes" in told
        assert len(server.requests) == 18
        kept = list(read_stage(tmp_path / "out", "verify"))
        assert {row["checked_by"] for row in kept} == {"eyes, asked about each picture"}
        assert not any("dog" in row["negative_objects"] for row in kept)  # seen everywhere
        assert any("boat" in row["negative_objects"] for row in kept)
        assert not any("boat" in row["positive_objects"] for row in kept)  # seen nowhere
        code, told, _ = run_command(capsys, *words)
        assert (code, "verify: 0 requests to eyes" in told, len(server.requests)) == (0, True, 18)
        code, _, err = run_command(capsys, *words, "--labels", tmp_path / "labels.csv")
        assert (code, "--labels and --server both check the claims" in err) == (2, True)
