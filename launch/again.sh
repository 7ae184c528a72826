#!/usr/bin/env bash
# Runs a command, and again each time it ends with status 143: it saved after a SIGTERM, and the same command resumes.
#
#     launch/again.sh -- negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain \
#         --config.data_dir=runs/quickstart/data
#
# The sets of this example are those that `negjax quickstart --workdir runs/quickstart` draws.
#
# Any other status ends the script with that status. SIGTERM to the script stops the command, which is not run again.
# PAUSE       seconds before the next run; default: 5
# --dry-run   show the command, run nothing
set -euo pipefail
# shellcheck source=launch/command.sh
source "$(dirname "${BASH_SOURCE[0]}")/command.sh"

read_arguments "" "$@"
want_command yes
PAUSE=${PAUSE:-5}
check_number PAUSE "seconds, a whole number"

if [[ ${given[dry-run]:-} ]]; then
    run "${command[@]}"
    exit 0
fi

child=
stopping=
stop() {
    stopping=1
    [[ -z $child ]] || kill -TERM "$child" 2>/dev/null || true
}
trap stop TERM INT

while true; do
    "${command[@]}" &
    child=$!
    status=0
    wait "$child" || status=$?
    while kill -0 "$child" 2>/dev/null; do # a signal to this script interrupts the wait
        status=0
        wait "$child" || status=$?
    done
    child=
    if [[ $status != 143 || -n $stopping ]]; then
        exit "$status"
    fi
    printf 'again.sh: stopped by SIGTERM, running the same command again in %s s\n' "$PAUSE" >&2
    sleep "$PAUSE" &
    child=$!
    wait "$child" || true
    child=
    [[ -z $stopping ]] || exit 143
done
