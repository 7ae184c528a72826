"""The command line: help, the way from data to report, and one clear line for whatever is wrong."""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import absl.logging
import grain
import pytest
from support.command import command_line, environment_without, run_command
from support.metrics import logged_lines

from negjax.cli import main
from negjax.datasets.scenes.sets import SCENE_TASKS, Size, build_scenes

SMALL = Size(pretraining=64, finetuning=64, galleries=1, gallery=20, asked=40, questions=24, groups=4, reuse=8, named=1)
CONFIG = """
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.model = {"arch": "tiny"}
    config.sources = {"captions": {"dataset": "scenes_captions", "batch_size": 8, "contrastive": 1.0}}
    config.data_dir = "DATA"
    config.steps = 2
    config.log_every = 1
    return config
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/ (small scenes), config.py and run/, trained for two steps."""
    folder = tmp_path_factory.mktemp("cli")
    build_scenes(folder / "data", 0, SMALL)
    (folder / "config.py").write_text(CONFIG.replace("DATA", str(folder / "data")))
    assert main(["train", "--config", str(folder / "config.py"), "--workdir", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def says(capsys):
    """says(*arguments): the one line in which the command fails."""

    def run(*arguments: object) -> str:
        code, out, err = run_command(capsys, *arguments)
        assert code == 2
        lines = [line for line in err.splitlines() if "negjax: error: " in line]
        assert len(lines) == 1, err
        assert err.splitlines()[-1] == lines[0]
        assert "Traceback" not in out + err
        return lines[0]

    return run


def photo(path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (30, 20), "navy").save(path)
    return path


def table(path: Path, images: list[str], columns: str = "image_path,correct_answer,caption_0,caption_1") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns.split(","))
        writer.writerows([[image, 0, "a cat", "no cat"][: columns.count(",") + 1] for image in images])
    return path


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["quickstart"],
        ["data", "build"],
        ["data", "list"],
        ["data", "derive"],
        ["data", "suite"],
        ["train"],
        ["eval"],
        ["report"],
        ["doctor"],
    ],
)
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert f"negjax {' '.join(command)}" in capsys.readouterr().out.split("example")[1]


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from negjax.cli import main; main([]); "
        "assert not {'jax', 'tensorflow_datasets', 'grain', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout


@pytest.mark.parametrize("words", [["eval", "--modle", "x"], ["nonsense"], ["doctor", "--config.steps=1"]])
def test_unknown_words_are_refused(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_from_training_to_the_report(place, tmp_path, capsys):
    out = tmp_path / "run"
    words = [
        "eval",
        "--model",
        place / "run",
        "--tasks",
        ",".join(SCENE_TASKS),
        "--data-dir",
        place / "data",
        "--out",
        out,
    ]
    assert main([str(word) for word in words]) == 0
    results = json.loads((out / "results.json").read_text())
    assert set(results["tasks"]) == set(SCENE_TASKS)
    for task, found in results["tasks"].items():
        assert all(0 <= value <= 1 for value in found["metrics"].values())
        assert (out / "predictions" / f"{task}.csv").exists()
    assert results["model"]["step"] == 2
    page = tmp_path / "report.html"
    assert main(["report", str(out), "--out", str(page), "--data-dir", str(place / "data")]) == 0
    assert "scenes_truth_table" in page.read_text()
    assert main(["data", "list", "--data-dir", str(place / "data")]) == 0
    assert "scenes_negcap" in capsys.readouterr().out


def test_negation_methods_of_one_evaluation(place, tmp_path, capsys):
    tasks = ("scenes_mcq", "scenes_negated_retrieval", "scenes_zeroshot")
    evaluation = ["eval", "--model", place / "run", "--tasks", ",".join(tasks), "--data-dir", place / "data"]
    evaluation += ["--cache-dir", tmp_path / "cache", "--out"]
    alone, several = tmp_path / "alone", tmp_path / "several"
    assert run_command(capsys, *evaluation, several)[0] == 0  # of which nothing is left
    choices = [word for text in ("none", "space", "lcse,midpoint=0.3") for word in ("--negation", text)]
    code, _, err = run_command(capsys, *evaluation, several, *choices)
    assert code == 0, err
    assert sorted(path.name for path in several.iterdir() if path.is_dir()) == [
        "lcse,midpoint=0.3",
        "none",
        "space",
    ]
    assert not (several / "results.json").exists()
    code, out, _ = run_command(capsys, *evaluation, alone, "--negation", "space")
    assert code == 0
    assert "negation by space, threshold 0.92" in " ".join(out.split())
    found = json.loads((alone / "results.json").read_text())
    assert found["model"]["negation"]["constants"] == {"threshold": 0.92}
    assert "2511.12331" in found["model"]["negation"]["origins"]["threshold"]
    assert json.loads((several / "space/results.json").read_text()) == found
    for path in (alone / "predictions").iterdir():
        assert path.read_text() == (several / "space/predictions" / path.name).read_text()
    plain = json.loads((several / "none/results.json").read_text())
    assert "negation" not in plain["model"]
    assert plain["tasks"]["scenes_zeroshot"] == found["tasks"]["scenes_zeroshot"]
    assert plain["tasks"]["scenes_mcq"]["blind"]["mean_image"] != found["tasks"]["scenes_mcq"]["blind"]["mean_image"]

    page = tmp_path / "report.html"
    assert main(["report", str(several), str(alone), "--out", str(page), "--data-dir", str(place / "data")]) == 0
    lines = page.with_suffix(".md").read_text().splitlines()
    names = [line.split("|")[1].strip() for line in lines if "several/" in line or "alone" in line]
    assert names == [
        "several/none",
        "several/lcse,midpoint=0.3 (lcse, midpoint 0.3, slope 30, lists false)",
        "several/space (space, threshold 0.92)",
        "alone (space, threshold 0.92)",
    ]
    assert "<small>space, threshold 0.92</small>" in page.read_text()
    rows = list(csv.DictReader(page.with_suffix(".csv").open(newline="")))
    assert {row["negation"] for row in rows if row["run"] == "alone"} == {"space, threshold 0.92"}


def test_calibration_on_one_set_and_figures_on_another(place, tmp_path, capsys, says):
    model, file = ["--model", place / "run", "--data-dir", place / "data"], tmp_path / "c.json"
    fitting = ["calibrate", *model, "--set", "scenes_mcq", "--cache-dir", tmp_path / "cache", "--out", file]
    code, out, _ = run_command(capsys, *fitting, "--negation", "space", "--negation", "lcse")
    assert code == 0
    assert "space: accuracy" in out
    content = json.loads(file.read_text())
    assert list(content["methods"]) == ["space", "lcse"]
    assert content["asked_set"]["name"] == "scenes_mcq"
    tasks = "scenes_mcq,scenes_truth_table"
    evaluation = ["eval", *model, "--tasks", tasks, "--cache-dir", tmp_path / "cache", "--out", tmp_path / "out"]
    code, _, err = run_command(capsys, *evaluation, "--negation", f"lcse,constants={file}")
    assert code == 0
    assert "task scenes_mcq: the constants of the negation method were fitted on this very set" in err
    found = json.loads((tmp_path / "out/results.json").read_text())
    assert found["model"]["negation"]["constants"] == content["methods"]["lcse"]["constants"] | {"lists": False}
    assert found["model"]["negation"]["origins"]["slope"] == "calibrated on scenes_mcq"
    assert found["tasks"]["scenes_mcq"]["metrics"]["accuracy"] == pytest.approx(content["methods"]["lcse"]["figure"])
    assert "constants of space, lcse, not of deo" in says(*evaluation, "--negation", f"deo,constants={file}")
    assert "kind 'zeroshot'" in says(*fitting, "--set", "scenes_zeroshot")


def test_dry_run_writes_nothing(place, tmp_path, capsys):
    words = ["train", "--config", place / "config.py", "--workdir", tmp_path / "new", "--dry-run", "--config.steps=16"]
    assert main([str(word) for word in words]) == 0
    plan = json.loads(capsys.readouterr().out)
    wanted = {"dataset": "scenes_captions", "rows": 64, "epochs": 2.0, "batch_per_device": 1}
    assert plan["sources"] == {"captions": wanted}
    assert plan["experiment"]["steps"] == 16
    assert not (tmp_path / "new").exists()


def test_wrong_configs(place, says, tmp_path):
    train = ["train", "--workdir", tmp_path / "new", "--config"]
    config = place / "config.py"
    assert f"config file {tmp_path}/none.py not found" in says(*train, tmp_path / "none.py")
    assert "did you mean steps" in says(*train, config, "--config.stepz=3")
    assert "config.steps" in says(*train, config, "--config.steps=many")
    assert "config.model.dtype" in says(*train, config, "--config.model.dtype=float16")
    assert "unknown architecture" in says(*train, config, "--config.model.arch=ViT-Z")
    assert "--profile 9: it must be FIRST:LAST, as in 10:15" in says(*train, config, "--profile", "9")
    assert "config.logging.tensorboard is 'yes'" in says(*train, config, "--config.logging.tensorboard=yes")
    assert f"{tmp_path}/none not found: give a workdir of" in says(
        *train, config, f"--config.model.init_from={tmp_path}/none"
    )
    assert "batch_size is 12: it must be a multiple of 8 devices" in says(
        *train, config, "--config.sources.captions.batch_size=12"
    )
    missing = says(*train, config, "--config.sources.captions.dataset=cats")
    assert "set cats not found" in missing
    assert "scenes_captions" in missing
    (tmp_path / "broken.py").write_text("def get_config(:\n")
    assert "broken.py" in says(*train, tmp_path / "broken.py")
    assert not (tmp_path / "new" / "checkpoints").exists()


# In a process of its own: another test puts a store in the place of gcsfs, which fsspec then keeps.
WITHOUT_STORES = """
import json, sys
sys.modules.update(gcsfs=None)
from negjax.cli import main
for words in json.loads(sys.argv[1]):
    try:
        print(main(words), file=sys.stderr)
    except SystemExit as stop:  # the parser's way
        print(stop.code, file=sys.stderr)
"""


def test_a_store_whose_library_is_missing(place):
    train = ["train", "--config", str(place / "config.py"), "--workdir"]
    commands = [
        [*train, "gs://b/x", "--dry-run"],
        [*train, "x", "--config.data_dir=gs://b/x"],
        ["eval", "--model", "gs://b/x", "--tasks", "scenes_mcq", "--data-dir", str(place / "data"), "--out", "x"],
        ["convert", "gs://b/x", "x"],
        ["data", "list", "--data-dir", "gs://b/x"],
    ]
    words = [sys.executable, "-c", WITHOUT_STORES, json.dumps(commands)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[1::2] == ["2"] * len(commands)
    assert all('gs:// needs gcsfs, which is not installed: pip install "negjax[gcs]"' in line for line in lines[::2])


def test_other_missing_libraries_are_not_hidden(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    monkeypatch.delitem(sys.modules, "negjax.datasets.stored.stored_set")
    monkeypatch.delitem(sys.modules, "negjax.datasets.stored.store")
    with pytest.raises(ImportError, match="tensorflow_datasets"):
        main(["data", "list", "--data-dir", str(place / "data")])


def test_a_workdir_of_another_experiment(place, says):
    line = says("train", "--config", place / "config.py", "--workdir", place / "run", "--config.seed=7")
    assert "config.seed" in line


def test_wrong_evaluations(place, says, tmp_path):
    def evaluate(**changes: object) -> str:
        given = {"model": place / "run", "tasks": "scenes_mcq", "data_dir": place / "data", "out": tmp_path / "out"}
        pairs = (given | changes).items()
        return says("eval", *(word for name, value in pairs for word in (f"--{name.replace('_', '-')}", value)))

    assert f"{tmp_path}/none not found" in evaluate(model=tmp_path / "none")
    line = evaluate(tasks="scenes_mqc")
    assert "set scenes_mqc not found" in line
    assert "scenes_mcq" in line
    assert "step" in evaluate(step="first")
    assert "was altered" in evaluate(tasks="scenes_negmcq") or "kind 'train'" in evaluate(tasks="scenes_negmcq")
    assert "batch size" in evaluate(batch_size=0)
    assert "--frames 0: it must be at least 1" in evaluate(frames=0)
    assert "unknown negation method 'spice'; choose one of none, subtract," in evaluate(negation="spice")
    assert "unknown constant 't'; choose one of threshold, constants" in evaluate(negation="space,t=1")
    (tmp_path / "file").write_text("")
    assert "cannot write" in evaluate(out=tmp_path / "file")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_processes_of_an_evaluation(place, says, tmp_path):
    """Two processes with a device each write what one with two devices does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{listener.getsockname()[1]}"
    given = ["--model", place / "run", "--tasks", ",".join(SCENE_TASKS), "--data-dir", place / "data"]
    runs = {
        "one": [(2, [])],
        "two": [(1, ["--coordinator", coordinator, "--num-processes", 2, "--process-id", i]) for i in range(2)],
    }
    for name, processes in runs.items():
        running = []
        for devices, more in processes:
            command = command_line("eval", *given, "--out", tmp_path / name, *more)
            env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
            running.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL))
        assert [each.wait(200) for each in running] == [0] * len(processes)
    one, two = (json.loads((tmp_path / name / "results.json").read_text())["tasks"] for name in runs)
    assert one == two
    files = [sorted(path.name for path in (tmp_path / name / "predictions").iterdir()) for name in runs]
    assert files[0] == files[1]
    for file in files[0]:
        texts = [(tmp_path / name / "predictions" / file).read_text() for name in runs]
        assert texts[0] == texts[1]
    assert "--num-processes and --process-id not given" in says(
        "eval", *given, "--out", tmp_path / "x", "--coordinator", coordinator
    )
    wrong = ["--coordinator", coordinator, "--num-processes", 2, "--process-id", 2]
    assert "--process-id 2" in says("eval", *given, "--out", tmp_path / "x", *wrong)


INTERRUPTED_AFTER = (0.6, 1, 2, 4, 7)  # seconds: importing, compiling, training and saving


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "eval", "build", "quickstart"])
def test_an_interrupt_at_any_time_is_one_line(place, tmp_path, command):
    """130, or the status of a command that was quicker."""
    photo(tmp_path / "a.jpg")
    images = table(tmp_path / "t.csv", ["a.jpg"] * 20000)
    build = ["data", "build", "--kind", "questions", "--train", "--csv", images, "--shard-rows", 500]
    words = {
        "train": ["train", "--config", place / "config.py", "--config.steps=100000", "--config.checkpoint_every=2"],
        "eval": ["eval", "--model", place / "run", "--tasks", ",".join(SCENE_TASKS), "--data-dir", place / "data"],
        "build": [*build, "--media-root", tmp_path, "--name", "asked"],
        "quickstart": ["quickstart"],
    }[command]
    target = {"train": "--workdir", "eval": "--out", "build": "--data-dir", "quickstart": "--workdir"}[command]
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import negjax.cli"], check=True)
    starting = time.monotonic() - started  # until then Python itself answers an interrupt: long on a busy machine
    ended = []
    for seconds in INTERRUPTED_AFTER:
        line = command_line(*words, target, tmp_path / "target")
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(starting + seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        ended.append(process.returncode)
        assert "Traceback" not in err
        assert err.count("interrupted") == (process.returncode == 130)
        if process.returncode == 130:
            assert err.splitlines()[-1] == "negjax: interrupted"
    assert 130 in ended
    assert set(ended) <= ({130} if command in ("train", "quickstart") else {0, 2, 130})


def test_a_truncated_checkpoint(place, says, tmp_path):
    shutil.copytree(place / "run", tmp_path / "run")
    largest = max((tmp_path / "run/checkpoints").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    with largest.open("r+b") as file:
        file.truncate(largest.stat().st_size // 2)
    given = ["--tasks", "scenes_mcq", "--data-dir", place / "data", "--out", tmp_path / "out"]
    assert "checkpoint" in says("eval", "--model", tmp_path / "run", *given)
    assert not (tmp_path / "out").exists()


def test_wrong_tables_and_images(says, tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:200])

    def build(file: Path, *more: object) -> str:
        given = ["--kind", "questions", "--media-root", tmp_path, "--name", "asked", "--data-dir", tmp_path / "data"]
        return says("data", "build", "--csv", file, *given, *more)

    assert "none.csv" in build(tmp_path / "none.csv")
    line = build(table(tmp_path / "t.csv", ["a.jpg"], "image_path,correct_answer,caption_0"))
    assert "caption_1" in line
    line = build(table(tmp_path / "t.csv", ["a.jpg", "b.jpg"]))
    assert "b.jpg" in line
    assert "row 1" in line
    assert "--skip-missing" in line
    line = build(table(tmp_path / "t.csv", ["a.jpg", "cut.jpg"]))
    assert "cut.jpg" in line
    assert not (tmp_path / "data" / "asked").exists()
    assert not list((tmp_path / "data").glob("*")) if (tmp_path / "data").exists() else True


def test_skip_missing_builds_the_rest(tmp_path, capsys):
    photo(tmp_path / "a.jpg")
    file = table(tmp_path / "t.csv", ["a.jpg", "b.jpg"])
    words = ["data", "build", "--kind", "questions", "--csv", file, "--media-root", tmp_path, "--name", "asked"]
    assert main([str(word) for word in [*words, "--data-dir", tmp_path / "data", "--skip-missing"]]) == 0
    assert "asked: 1 rows" in capsys.readouterr().out


@pytest.mark.slow
def test_sigterm_saves_and_the_same_command_goes_on(place, tmp_path):
    run = tmp_path / "run"
    words = [
        f"--config={place / 'config.py'}",
        f"--workdir={run}",
        "--config.steps=150",
        "--config.checkpoint_every=150",
    ]
    command, environment = command_line("train", *words), environment_without("XLA_FLAGS")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        log = run / "metrics.jsonl"
        end = time.monotonic() + 120
        while time.monotonic() < end and not (log.exists() and log.read_text().count("\n") > 2):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        err = process.communicate(timeout=120)[1]
    assert process.returncode == 143, err
    assert "saved: run the same command to resume" in err.splitlines()[-1]
    stopped = json.loads(log.read_text().splitlines()[-1])["step"]
    assert 2 < stopped < 150
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    steps = [line["step"] for line in logged_lines(run)]
    assert steps == list(range(1, 151))


def test_of_other_libraries_grains_warnings_are_printed(tmp_path, capsys):
    main(["data", "list", "--data-dir", str(tmp_path)])  # sets up logging
    capsys.readouterr()
    grain.ReadOptions(num_threads=4, prefetch_buffer_size=2)
    absl.logging.warning("not of Grain")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("negjax: prefetch_buffer_size=2 is smaller than num_threads=4")
