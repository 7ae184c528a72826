#!/usr/bin/env bash
# Runs N processes of one command on this machine; each line of their output starts with the process's index.
#
#     launch/local.sh 2 -- negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain \
#         --config.data_dir=runs/quickstart/data
#
# The sets of this example are those that `negjax quickstart --workdir runs/quickstart` draws.
#
# Appends --coordinator HOST:PORT --num-processes N --process-id I to the command. When one process dies, the others are
# stopped and its status is that of the script; a SIGTERM to the script goes to all of them. They listen on the loopback
# only. To start all again when one was killed or stopped: launch/again.sh -- launch/local.sh 2 -- COMMAND.
#
# --gpus      process I sees only the I-th GPU, of those in CUDA_VISIBLE_DEVICES where it is set
# PORT        of the coordinator, on the loopback; default: a free one
# PLATFORM    cpu, gpu or tpu, for env.sh; default: gpu with --gpus, else cpu; one of the two is required on GPUs
# GRACE       seconds for the other processes to end; default: 60 after a SIGTERM (they save), else 5
# --dry-run   show the commands, run nothing
set -euo pipefail
# shellcheck source=launch/command.sh
source "$(dirname "${BASH_SOURCE[0]}")/command.sh"

read_arguments "gpus" "$@"
((${#words[@]} == 1)) || fail "no number of processes: launch/local.sh N -- COMMAND (see --help)"
processes=${words[0]}
[[ $processes =~ ^[1-9][0-9]{0,3}$ ]] || fail "$processes processes: give a whole number from 1 to 9999"
words=()
want_command yes
if [[ -z ${PORT:-} ]]; then
    PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
fi
check_match PORT '[1-9][0-9]{0,4}' "a port is a number from 1 to 65535"
((PORT <= 65535)) || fail "PORT=$PORT: a port is a number from 1 to 65535"
[[ -z ${GRACE:-} ]] || check_number GRACE "seconds, a whole number"
((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) || fail "bash 5.1 or newer is needed, this is $BASH_VERSION"
gpus=() # one for each process
if [[ -n ${given[gpus]:-} ]]; then
    PLATFORM=${PLATFORM:-gpu}
    mapfile -t gpus < <(seq 0 $((processes - 1)))
    if [[ -n ${CUDA_VISIBLE_DEVICES+set} ]]; then
        IFS=, read -ra gpus <<<"$CUDA_VISIBLE_DEVICES"
        ((${#gpus[@]} >= processes)) ||
            fail "$(quoted "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"): fewer than $processes GPUs, one for each process"
    fi
elif [[ -z ${PLATFORM:-}${JAX_PLATFORMS:-} && -n ${CUDA_VISIBLE_DEVICES-all} ]] && nvidia-smi --list-gpus >/dev/null 2>&1; then
    fail "this machine has GPUs: add --gpus, to give each process one, or set PLATFORM=cpu to not use them"
fi
# shellcheck source=launch/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh" "${PLATFORM:-cpu}"

declare -A running=() # pid -> index of the process
start() {
    local process_command=("${command[@]}" --coordinator "127.0.0.1:$PORT" --num-processes "$processes" --process-id "$1")
    [[ -z ${given[gpus]:-} ]] || process_command=(env "CUDA_VISIBLE_DEVICES=${gpus[$1]}" "${process_command[@]}")
    if [[ ${given[dry-run]:-} ]]; then
        quoted "${process_command[@]}"
        return
    fi
    # The reader ignores the signals that end its process, to show the last lines.
    "${process_command[@]}" </dev/null > >(trap '' TERM INT && exec sed -u "s/^/[$1] /") 2>&1 &
    running[$!]=$1
}

# Sends a signal to the processes that still run and their children: each process leads a process group.
signal_all() {
    local pid
    for pid in "${!running[@]}"; do
        kill "-$1" -- "-$pid" 2>/dev/null || true
    done
}

# all_end_within SECONDS: whether all processes end in time.
all_end_within() {
    local until=$((SECONDS + $1)) pid
    for pid in "${!running[@]}"; do
        while kill -0 "$pid" 2>/dev/null; do
            ((SECONDS < until)) || return 1
            sleep 0.1
        done
    done
}

trap 'signal_all TERM' TERM INT
set -m # process groups
for ((process = 0; process < processes; process++)); do
    start "$process"
done
set +m # no messages about jobs

while ((${#running[@]})); do
    status=0
    ended=
    wait -n -p ended "${!running[@]}" 2>/dev/null || status=$?
    if [[ -z ${ended:-} ]]; then
        continue # a signal interrupted the wait; the trap has forwarded it
    fi
    process=${running[$ended]}
    unset "running[$ended]"
    if ((status)); then
        printf 'local.sh: process %s of %s ended with status %s: stopping all\n' "$process" "$processes" "$status" >&2
        grace=5
        ((status != 143)) || grace=60
        if ! all_end_within "${GRACE:-$grace}"; then
            signal_all TERM
            all_end_within 5 || signal_all KILL
        fi
        exit "$status"
    fi
done
