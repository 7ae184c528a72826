#!/usr/bin/env bash
# On a worker of a TPU: stops a run, which saves first.
#
#     bash negjax/launch/tpu_vm/worker/stop.sh RUN
#
# PATIENCE    seconds until it is killed; default: 300
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=launch/command.sh
source "$here/../../command.sh"

(($# == 1)) || fail "stop.sh RUN"
PATIENCE=${PATIENCE:-300}
check_number PATIENCE "seconds, a whole number"
cd "$here/../../.."
pid=$(cat "logs/$1.pid" 2>/dev/null) || fail "no run called $1 on $(hostname)"
kill -TERM "$pid" 2>/dev/null || {
    printf '%s: %s had already ended\n' "$(hostname)" "$1"
    exit 0
}
until=$((SECONDS + PATIENCE))
while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS >= until)); then
        kill -KILL -- "-$pid" # the group: again.sh and its command
        fail "$1 did not end within $PATIENCE s on $(hostname) and was killed"
    fi
    sleep 0.5
done
printf '%s: %s has ended\n' "$(hostname)" "$1"
