#!/usr/bin/env bash
# Starts a command on all workers of a TPU, where it goes on without this terminal. JAX finds the other workers itself.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip launch/tpu_vm/run.sh -- \
#         negjax train --config configs/scenes_pretrain.py --workdir gs://my-bucket/runs/pretrain
#
# A run that ends with status 143 (saved after a SIGTERM, as at the maintenance of a host) starts again by itself. When
# a spot TPU has been taken away: stop.sh --delete, create.sh, setup.sh, and this same command.
#
# RUN         name of the run's log; default: train
# --dry-run   show the command, run nothing
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "" "$@"
want_command yes
# shellcheck source=launch/tpu_vm/gcloud.sh
source "$here/gcloud.sh"
read_run

on_workers all bash "$remote/launch/tpu_vm/worker/start.sh" "$RUN" "${command[@]}"
