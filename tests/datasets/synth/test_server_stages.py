"""Stages of `negjax synth` that ask a language model: what counts of its answers, resuming, and dry runs."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command import command_line, run_command
from support.folders import digests
from support.images import noise_png
from support.scripted_server import Reply, ScriptedServer, scripted_server, user_text

from negjax.datasets.stored.store import open_set
from negjax.datasets.synth.shards import read_stage

CAPTIONS = [
    "A dog runs on the beach, and there is no frisbee",
    "A horse pulls a cart",
    "A boat on a lake",
    "A guitar leans on a sofa",
    "A skateboard on a ramp",
]
IMAGES = 40
SCENES = [
    "A brown dog at the beach",
    "A horse pulls a cart",
    "A boat on a lake",
    "A guitar leans on a sofa",
    "A skateboard on a ramp",
]


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "captions.csv"
    rows = [f'{i}.png,"{CAPTIONS[i % 5]}, picture {i}"' for i in range(IMAGES)]
    path.write_text("\n".join(["image,caption", *rows]))
    return path


def answer(request: dict) -> Reply:
    """A model that knows some of what captions say, and invents more."""
    text = user_text(request)
    if text.startswith("captions:"):
        return Reply(json.dumps({"absent": ["Horses", "sky", "unicorn", "puppy", "beach"]}))
    captions = json.loads(text)
    said = [
        {
            "present": [
                word for word in ("dog", "horse", "cart", "boat", "guitar", "skateboard", "zebra") if word in caption
            ]
            + ["zebra"],
            "denied": ["frisbee"] if "frisbee" in caption else [],
        }
        for caption in captions
    ]
    return Reply(json.dumps({"captions": said}))


def words(stage: str, server: ScriptedServer, table: Path, out: Path, *more: object) -> list[object]:
    source = ["--csv", table, "--media-root", table.parent] if stage == "extract" else ["--max-risk", 0.2]
    return ["synth", stage, *source, "--out", out, "--server", server.url, "--server-model", "tiny", *more]


def test_extract_and_propose(table, tmp_path, capsys):
    out = tmp_path / "out"
    with scripted_server(answer) as server:
        dry = words("extract", server, table, out, "--dry-run", "--price-in", 1000, "--price-out", 0)
        code, told, err = run_command(capsys, *dry)
        assert (code, len(server.requests), out.exists()) == (0, 0, False), err
        assert f"extract: about {IMAGES} requests to tiny at {server.url}, and 0 in the cache; about " in told
        tokens = int(told.split("cache; about ")[1].split(" tokens")[0].replace(",", ""))
        assert f"{tokens / 1000:,.2f} in the prices' currency" in told

        code, told, err = run_command(capsys, *words("extract", server, table, out))
        assert code == 0, err
        assert len(server.requests) == IMAGES
        assert f"{IMAGES} requests answered, 0 by the cache; 4,000 tokens in and 400 out" in told
        rows = list(read_stage(out, "extract"))
        assert rows[0]["positive_objects"] == ["dog"]  # no zebra: the caption has none
        assert rows[0]["denied_objects"] == ["frisbee"]
        assert "beach" in rows[0]["other_names"]  # the word list found it, the model did not: not denied either

        code, told, err = run_command(capsys, *words("propose", server, table, out, "--seed", 1))
        assert code == 0, err
        assert len(server.requests) == 2 * IMAGES
        row = next(iter(read_stage(out, "propose")))
        assert row["negative_objects"][:2] == ["frisbee", "horse"]  # what the caption denies, what the model suggests
        assert set(row["negative_objects"][2:]) == {"cart", "boat", "guitar", "skateboard"}  # what occurs together
        asked = len(server.requests)
        before = digests(out, "*.parquet")
        for path in out.glob("*/0*"):
            path.unlink()
        for stage, more in (("extract", ()), ("propose", ("--seed", 1))):  # made again, from the cache alone
            assert run_command(capsys, *words(stage, server, table, out, *more))[0] == 0
        assert len(server.requests) == asked
        assert digests(out, "*.parquet") == before


def test_stages_that_ask_nothing_need_no_extra():
    program = """
import sys
for name in ("httpx2", "tenacity", "anyio"):
    sys.modules[name] = None
import negjax.commands.synth
from negjax.datasets.synth.server import extraction, paraphrasing, proposals, stage_plans
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_flags_that_do_not_fit_together(table, tmp_path, capsys, monkeypatch):
    start = ["synth", "extract", "--csv", table, "--media-root", tmp_path, "--out", tmp_path / "out"]
    code, _, err = run_command(capsys, *start, "--server-model", "tiny")
    assert (code, "--server-model is of a language model: give its URL as --server, too" in err) == (2, True)
    code, _, err = run_command(capsys, *start, "--server", "http://127.0.0.1:9/v1")
    assert (code, "--server-model not given" in err) == (2, True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tenacity" else find_spec(name))
    code, _, err = run_command(capsys, *start, "--server", "http://127.0.0.1:9/v1", "--server-model", "m")
    assert (code, 'needs tenacity: pip install "negjax[llm]"' in err) == (2, True)
    monkeypatch.undo()
    everything = [
        "synth",
        "all",
        *start[2:],
        "--name",
        "n",
        "--data-dir",
        tmp_path,
        "--server",
        "http://127.0.0.1:9/v1",
    ]
    code, _, err = run_command(capsys, *everything, "--server-model", "m")
    assert (code, "--server-for not given: say which stages ask the server" in err) == (2, True)
    code, _, err = run_command(capsys, *everything, "--server-model", "m", "--server-for", "check")
    assert (code, "--server-for check: unknown" in err) == (2, True)
    code, told, err = run_command(
        capsys, *everything, "--server-model", "m", "--server-for", "extract,propose", "--dry-run"
    )
    assert code == 0, err
    assert told.count(f"about {IMAGES} requests to m at http://127.0.0.1:9/v1, and 0 in the cache") == 2


@pytest.mark.slow
def test_killed_in_the_middle_nothing_is_lost_or_paid_twice(table, tmp_path, capsys):
    """kill -9 after 16 of 40 answers, at 4 requests at a time: at most those 4 are asked again."""
    ended: list[subprocess.Popen] = []

    def script(request: dict) -> Reply:
        if len(server.answered) >= 16 and ended and ended[0].poll() is None:
            ended[0].send_signal(signal.SIGKILL)
            ended[0].wait()
        return answer(request)

    with scripted_server(script) as server:
        line = command_line(*words("extract", server, table, tmp_path / "out", "--concurrency", 4))
        process = subprocess.Popen(line, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended.append(process)
        process.wait()
        deadline = time.monotonic() + 60
        while server.at_once and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.returncode == -signal.SIGKILL
        paid = len(server.answered)
        assert 16 <= paid < IMAGES
        code, told, err = run_command(capsys, *words("extract", server, table, tmp_path / "out"))
        assert code == 0, err
        texts = [user_text(request) for request in server.requests]
        twice = len(texts) - len(set(texts))
        assert twice <= 4
        assert len(set(texts)) == IMAGES
        assert f"{len(server.answered) - paid} requests answered, " in told
        assert run_command(capsys, *words("extract", server, table, tmp_path / "unbroken"))[0] == 0
    assert digests(tmp_path / "out", "*.parquet") == digests(tmp_path / "unbroken", "*.parquet") != {}


@pytest.mark.slow
def test_write_in_other_words(tmp_path, capsys):
    """Sentences become other ones of the same meaning; what says something else is not taken."""
    table = tmp_path / "captions.csv"
    (tmp_path / "photos").mkdir()
    rows = []
    for i in range(100):
        (tmp_path / "photos" / f"{i}.png").write_bytes(noise_png(i, (16, 16)))
        rows.append(f"{i}.png,{SCENES[i % 5]}")
    table.write_text("\n".join(["image,caption", *rows]))
    out, data = tmp_path / "out", tmp_path / "data"

    def words_of(request: dict) -> Reply:
        sentence = json.loads(user_text(request))
        if len(sentence) % 3 == 0:
            return Reply(json.dumps({"sentence": f"{sentence}, and no zebra"}))
        return Reply(json.dumps({"sentence": f"As one can see, {sentence}"}))

    start = ["--csv", table, "--media-root", tmp_path / "photos", "--out", out]
    assert run_command(capsys, "synth", "extract", *start)[0] == 0
    assert run_command(capsys, "synth", "propose", "--out", out, "--max-risk", 0.2)[0] == 0
    assert run_command(capsys, "synth", "verify", "--out", out)[0] == 0
    write = ["synth", "write", *start[2:], "--name", "mine", "--data-dir", data, "--test-share", 0.4]
    with scripted_server(words_of) as server:
        asking = [*write, "--server", server.url, "--server-model", "tiny"]
        code, told, err = run_command(capsys, *asking)
        assert code == 0, err
        assert "write: at most 1,100 requests to tiny" in told
        paid = len(server.requests)
        assert 0 < paid <= 1100
        rows = list(open_set(data, "mine_negfull").rows())
        texts = [text for row in rows for text in (*row["negated_captions"], *row["options"])]
        changed = [text for text in texts if text.startswith("As one can see, ")]
        assert 0 < len(changed) < len(texts)
        assert not any(text.endswith(", and no zebra") for text in texts)
        assert all(not text.startswith("As one") for row in rows for text in row["captions"])
        half = [tuple(sorted(row["options"])) for row in open_set(data, "mine_half_negated").rows()]
        assert all(half.count(options) % 4 == 0 for options in half)  # a group keeps the same four options
        before = open_set(data, "mine_negfull").fingerprint
        assert run_command(capsys, *asking)[0] == 0
        assert len(server.requests) == paid
        assert open_set(data, "mine_negfull").fingerprint == before
    assert run_command(capsys, *write)[0] == 0  # without a server: other words, so other sets
    texts = [text for row in open_set(data, "mine_negfull").rows() for text in row["options"]]
    assert not any(text.startswith("As one") for text in texts)
