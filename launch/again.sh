#!/usr/bin/env bash
# Runs a command, and again when it was stopped (143: it saved after a SIGTERM), lost another process of its run (75), or
# was killed by another signal (above 128, but for 130, an interrupt): the same command resumes.
#
#     launch/again.sh -- negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain \
#         --config.data_dir=runs/quickstart/data
#
# The sets of this example are those that `negjax quickstart --workdir runs/quickstart` draws.
#
# Any other status ends the script with that status, and so does the last start. SIGTERM to the script stops the command,
# which is not run again.
# PAUSE         seconds before the next run; default: 5
# MAX_RESTARTS  default: 50
# --dry-run   show the command, run nothing
set -euo pipefail
# shellcheck source=launch/command.sh
source "$(dirname "${BASH_SOURCE[0]}")/command.sh"

read_arguments "" "$@"
want_command yes
PAUSE=${PAUSE:-5} MAX_RESTARTS=${MAX_RESTARTS:-50}
check_number PAUSE "seconds, a whole number"
check_number MAX_RESTARTS "a whole number"

if [[ ${given[dry-run]:-} ]]; then
    run "${command[@]}"
    exit 0
fi

child=
stopping=
restarts=0
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
    if [[ -n $stopping ]] || ! can_resume "$status"; then
        exit "$status"
    fi
    if ((restarts >= MAX_RESTARTS)); then
        printf 'again.sh: status %s after %s starts: MAX_RESTARTS=%s\n' "$status" "$((restarts + 1))" "$MAX_RESTARTS" >&2
        exit "$status"
    fi
    restarts=$((restarts + 1))
    printf 'again.sh: ended with status %s, running the same command again in %s s\n' "$status" "$PAUSE" >&2
    sleep "$PAUSE" &
    child=$!
    wait "$child" || true
    child=
    [[ -z $stopping ]] || exit 143
done
