#!/usr/bin/env bash
# Requests a TPU as a queued resource, and waits until it is active.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip TYPE=v6e-16 launch/tpu_vm/create.sh --spot
#
# Next: setup.sh, run.sh, logs.sh, stop.sh, with the same PROJECT, ZONE and NAME.
#
# TYPE        accelerator type: v6e-16, v5litepod-64, v5p-32, ...
# RUNTIME     system image; default: the one for TYPE
# --spot      cheaper, may be preempted at any time: then stop.sh --delete, and start over
# --no-wait   do not wait
# --dry-run   show the commands, run nothing
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "spot no-wait" "$@"
want_command no
# shellcheck source=launch/tpu_vm/gcloud.sh
source "$here/gcloud.sh"
need_variable TYPE "the accelerator type, as in v6e-16"
if [[ -z ${RUNTIME:-} ]]; then
    case $TYPE in
        v6e-*) RUNTIME=v2-alpha-tpuv6e ;;
        v5litepod-*) RUNTIME=v2-alpha-tpuv5-lite ;;
        v5p-*) RUNTIME=v2-alpha-tpuv5 ;;
        v4-*) RUNTIME=tpu-ubuntu2204-base ;;
        *) fail "TYPE=$TYPE: set RUNTIME to the system image for it" ;;
    esac
fi

create=(gcloud compute tpus queued-resources create "$NAME" "${where[@]}" --node-id "$NAME")
create+=(--accelerator-type "$TYPE" --runtime-version "$RUNTIME")
[[ -z ${given[spot]:-} ]] || create+=(--spot)
run "${create[@]}"

if [[ -n ${given[no-wait]:-} ]]; then
    exit 0
fi
describe=(gcloud compute tpus queued-resources describe "$NAME" "${where[@]}" "--format=value(state.state)")
if [[ -n ${given[dry-run]:-} ]]; then
    run "${describe[@]}"
    exit 0
fi
before=
while true; do
    state=$("${describe[@]}")
    [[ $state == "$before" ]] || printf '%s %s: %s\n' "$(date +%H:%M:%S)" "$NAME" "$state"
    before=$state
    case $state in
        ACTIVE) exit 0 ;;
        FAILED | SUSPENDING | SUSPENDED | DELETING) fail "$NAME is $state: stop.sh --delete, then create it again" ;;
    esac
    sleep 20
done
