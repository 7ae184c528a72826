#!/usr/bin/env bash
# Stops a run on all workers of a TPU; it saves first. With --delete it deletes the TPU, which ends its costs.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip launch/tpu_vm/stop.sh --delete
#
# RUN         name of the run; default: train
# --delete    delete the TPU and its queued resource, also when the run on it cannot be stopped
# --dry-run   show the commands, run nothing
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "delete" "$@"
want_command no
# shellcheck source=launch/tpu_vm/gcloud.sh
source "$here/gcloud.sh"
read_run

status=0
on_workers all bash "$remote/launch/tpu_vm/worker/stop.sh" "$RUN" || status=$?
if [[ -n ${given[delete]:-} ]]; then
    run gcloud compute tpus queued-resources delete "$NAME" "${where[@]}" --force --quiet
else
    exit "$status"
fi
