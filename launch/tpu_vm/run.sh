#!/usr/bin/env bash
# Starts a command on all workers of a TPU, where it runs without this terminal. JAX finds the other workers itself.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip launch/tpu_vm/run.sh -- \
#         negjax train --config configs/scenes_pretrain.py --workdir gs://my-bucket/runs/pretrain \
#         --config.data_dir=gs://my-bucket/data
#
# Data sets and weights must be in a bucket, too. `negjax quickstart --workdir runs/quickstart` draws these sets, and
# `gcloud storage cp --recursive runs/quickstart/data gs://my-bucket` puts them there; your own come from `negjax data
# build`. Where a config starts from weights, add --config.model.init_from=gs://my-bucket/weights/clip_b32 or the like.
#
# A run that ends with status 143 (saved after a SIGTERM, as at the maintenance of a host), with 75 (a worker lost another
# one) or by a signal is restarted by again.sh on each worker. When a spot TPU was preempted: stop.sh --delete, create.sh,
# setup.sh, and the same command.
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
