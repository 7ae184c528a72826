#!/usr/bin/env bash
# launch/slurm/train.sbatch on a real SLURM, which runs on this machine alone: two virtual nodes, all on the loopback.
#
#     apt-get install slurm-wlm munge
#     VENV=.venv tools/slurm_here.sh
#
# As root, on Debian or Ubuntu. Starts munged, slurmctld and two slurmd in a temporary folder with a configuration and a
# key of their own, trains a tiny CLIP on drawn scenes as a job of two tasks, and the same again as a job that gets
# SIGTERM and then loses a task (SIGKILL). It shows that the job was requeued each time, resumed by itself and has the
# losses of the first, and that a cancelled job stays cancelled. It stops all processes that it started.
#
# VENV        virtual environment with negjax; default: .venv
# STEPS       of a run; default: 40
# --keep      keep the temporary folder, with all logs
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/command.sh
source "$root/launch/command.sh"

read_arguments "keep" "$@"
want_command no
[[ -z ${given[dry-run]:-} ]] || fail "there is no dry run of this"
((EUID == 0)) || fail "run it as root: slurmd starts tasks for users"
for program in munged slurmctld slurmd srun sbatch scontrol scancel squeue; do
    need_program "$program" "apt-get install slurm-wlm munge"
done
VENV=$(realpath "${VENV:-$root/.venv}")
[[ -x $VENV/bin/negjax ]] || fail "VENV=$VENV: there is no bin/negjax"
STEPS=${STEPS:-40}
check_number STEPS "a whole number"

here=$(mktemp -d)
chmod 755 "$here" # munged wants its socket where everybody can go
# The processes that have this SLURM's configuration in their environment: its daemons, steps and tasks.
ours() {
    grep -lzx "SLURM_CONF=$here/slurm.conf" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 | grep -vx "$$"
}
signal_ours() {
    local pid
    for pid in $(ours); do
        kill "-$1" "$pid" 2>/dev/null || true
    done
}
stop() {
    trap - EXIT
    unset SLURM_CONF # so that what this script still starts is none of them
    signal_ours TERM
    sleep 3
    [[ ! -s $here/munged.pid ]] || kill "$(cat "$here/munged.pid")" || true
    signal_ours KILL
    sleep 2 # munged leaves its seed as the last thing it does
    if [[ -n ${given[keep]:-} ]]; then
        printf 'kept: %s\n' "$here"
    else
        rm -rf "$here"
    fi
}
trap stop EXIT
say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
give_up() {
    say "FAILED: $1" >&2
    tail -n 30 "$here"/*.log >&2
    exit 1
}

# free_ports N
free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(server.getsockname()[1] for server in servers))
PYTHON
}

# The nodes are called as their addresses are, for JAX looks for process 0 on the first node's name. A job that is
# queued again waits until its credential has run out (cred_expire), two minutes by default. To stop a step takes up to
# 30 s (KillWait); after MessageTimeout, 10 s by default, that would be tried again a minute later, on the next start.
start_slurm() {
    local ports host
    read -r -a ports < <(free_ports 3)
    host=$(hostname -s)
    (umask 377 && head -c 1024 /dev/urandom >"$here/munge.key")
    munged --socket="$here/munge.socket" --key-file="$here/munge.key" --pid-file="$here/munged.pid" \
        --log-file="$here/munged.log" --seed-file="$here/munge.seed"
    cat >"$here/slurm.conf" <<CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmctldPidFile=$here/slurmctld.pid
SlurmctldLogFile=$here/slurmctld.log
StateSaveLocation=$here/state
SlurmdPidFile=$here/slurmd.%n.pid
SlurmdLogFile=$here/slurmd.%n.log
SlurmdSpoolDir=$here/spool/%n
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$here/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
MessageTimeout=60
NodeName=127.0.0.1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=1
NodeName=127.0.0.2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=1
PartitionName=here Nodes=127.0.0.1,127.0.0.2 Default=YES MaxTime=INFINITE State=UP
CONF
    mkdir "$here/state" "$here/spool"
    export SLURM_CONF=$here/slurm.conf
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF" -N 127.0.0.1
    slurmd -f "$SLURM_CONF" -N 127.0.0.2
    wait_until 30 "two idle nodes" nodes_idle
}
nodes_idle() { [[ $(sinfo --noheader --format='%D %t' 2>/dev/null) == "2 idle" ]]; }

# wait_until SECONDS WHAT CONDITION...
wait_until() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < until)) || give_up "no $what in time"
        sleep 0.2
    done
}

make_data() {
    "$VENV/bin/python" - "$here" "$STEPS" <<'PYTHON'
import sys
from pathlib import Path
from negjax.datasets.scenes.sets import Size, build_scenes

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
size = Size(pretraining=64, finetuning=64, galleries=1, gallery=20, asked=40, questions=24, groups=4, reuse=8, named=1)
build_scenes(folder / "data", 0, size)
(folder / "config.py").write_text(f'''
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.model = {{"arch": "tiny"}}
    config.sources = {{"captions": {{"dataset": "scenes_captions", "batch_size": 8, "contrastive": 1.0}}}}
    config.data_dir = {str(folder / "data")!r}
    config.steps = {steps}
    config.log_every = 1
    config.checkpoint_every = 5
    return config
''')
PYTHON
}

# submit NAME: prints the job's number.
submit() {
    (cd "$root" && VENV=$VENV sbatch --parsable --nodes=2 --ntasks-per-node=1 --time=30 --job-name="$1" \
        --output="$here/$1.job.log" launch/slurm/train.sbatch -- \
        negjax train --config "$here/config.py" --workdir "$here/$1")
}
state_of() { scontrol show job "$1" | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'; }
restarts_of() { scontrol show job "$1" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p'; }
ended() { [[ $(state_of "$1") =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }
restarted() { [[ $(restarts_of "$1") == "$2" ]] || ended "$1"; }
steps_of() { wc -l 2>/dev/null <"$here/$1/metrics.jsonl" || echo 0; }
reached() {
    ended "$3" || { (($(steps_of "$1") >= $2)) && [[ $(state_of "$3") == RUNNING ]]; }
}

# task_of JOB NUMBER: the process that is this task's negjax.
task_of() {
    local folder
    for folder in /proc/[0-9]*; do
        if grep -qzx "SLURM_CONF=$here/slurm.conf" "$folder/environ" 2>/dev/null &&
            grep -qzx "SLURM_JOB_ID=$1" "$folder/environ" && grep -qzx "SLURM_STEP_ID=0" "$folder/environ" &&
            grep -qzx "SLURM_PROCID=$2" "$folder/environ"; then
            basename "$folder"
            return
        fi
    done
    give_up "no process of task $2"
}
must_complete() {
    wait_until 600 "end of job $1" ended "$1"
    [[ $(state_of "$1") == COMPLETED ]] || give_up "job $1 is $(state_of "$1")"
}

say "starting SLURM in $here"
start_slurm
make_data

first=$(submit unbroken)
must_complete "$first"
say "job $first: two tasks trained $(steps_of unbroken) steps unbroken"

second=$(submit broken)
wait_until 300 "step $((STEPS / 4))" reached broken $((STEPS / 4)) "$second"
scancel --signal=TERM "$second"
say "job $second: SIGTERM after step $(steps_of broken)"
wait_until 120 "first restart" restarted "$second" 1
kept=$(steps_of broken)
say "job $second: $(state_of "$second") again, $kept steps kept"
((kept + STEPS / 4 < STEPS)) || give_up "too few steps are left to lose a task in: set more STEPS"
wait_until 300 "step $((kept + STEPS / 4))" reached broken $((kept + STEPS / 4)) "$second"
victim=$(task_of "$second" 1)
kill -KILL "$victim"
say "job $second: SIGKILL to task 1 (process $victim) after step $(steps_of broken)"
wait_until 120 "second restart" restarted "$second" 2
must_complete "$second"
say "job $second: completed after $(restarts_of "$second") restarts, $(steps_of broken) steps"
[[ $(restarts_of "$second") == 2 ]] || give_up "two restarts were expected"

third=$(submit cancelled)
wait_until 300 "step 1" reached cancelled 1 "$third"
scancel "$third"
wait_until 120 "end of job $third" ended "$third"
sleep 15
[[ $(state_of "$third") == CANCELLED && $(restarts_of "$third") == 0 ]] ||
    give_up "the cancelled job is $(state_of "$third")"
say "job $third: cancelled, and not queued again"

grep -h "train.sbatch:\|of 2, \|saved" "$here/broken.job.log"
"$VENV/bin/python" - "$here" "$STEPS" <<'PYTHON' || give_up "the losses differ"
import json, sys
from pathlib import Path

def losses(name):
    lines = (Path(sys.argv[1]) / name / "metrics.jsonl").read_text().splitlines()
    return [(line["step"], line["loss"]) for line in map(json.loads, lines) if "loss" in line]

unbroken, broken = losses("unbroken"), losses("broken")
print(f"losses of {len(unbroken)} steps, first {unbroken[0][1]:.6f}, last {unbroken[-1][1]:.6f}")
print("broken and unbroken are bit-identical" if broken == unbroken else f"differ: {set(broken) ^ set(unbroken)}")
sys.exit(broken != unbroken or len(unbroken) != int(sys.argv[2]))
PYTHON
say "all checks passed"
