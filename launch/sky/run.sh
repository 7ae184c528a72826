#!/usr/bin/env bash
# Runs a command as a managed job of SkyPilot, which finds the machines and restarts it when they are preempted.
#
#     NAME=pretrain ACCELERATORS=tpu-v6e-16 launch/sky/run.sh tpu --spot -- \
#         negjax train --config configs/scenes_pretrain.py --workdir gs://my-bucket/runs/pretrain \
#         --config.data_dir=gs://my-bucket/data
#     NAME=pretrain ACCELERATORS=H100:8 NODES=2 launch/sky/run.sh gpu -- \
#         negjax train --config configs/scenes_pretrain.py --workdir gs://my-bucket/runs/pretrain \
#         --config.data_dir=gs://my-bucket/data
#
# Data sets and weights must be in a bucket, too. `negjax quickstart --workdir runs/quickstart` draws these sets, and
# `gcloud storage cp --recursive runs/quickstart/data gs://my-bucket` puts them there; your own come from `negjax data
# build`. Where a config starts from weights, add --config.model.init_from=gs://my-bucket/weights/clip_b32 or the like.
# SkyPilot copies the files of this repository that git does not ignore: code and configs.
#
# NODES       gpu: machines; default: 1
# --spot      cheaper, may be preempted at any time: the same command resumes elsewhere
# --dry-run   show the command, run nothing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "spot" "$@"
take_platform
want_command yes
need_variable NAME "the name of the job"
need_variable ACCELERATORS "the accelerators to request, as in tpu-v6e-16 or H100:8"
check_match NAME '[a-z]([-a-z0-9]{0,38}[a-z0-9])?' "at most 40 lower-case letters, digits and -, first a letter"
NODES=${NODES:-1}
check_match NODES '[1-9][0-9]*' "a whole number from 1"
[[ $platform == gpu || $NODES == 1 ]] || fail "NODES=$NODES: the hosts of a TPU follow from ACCELERATORS"
need_program sky "pip install skypilot"

launch=(sky jobs launch --name "$NAME" --gpus "$ACCELERATORS" --num-nodes "$NODES")
[[ -z ${given[spot]:-} ]] || launch+=(--use-spot)
# Passed in the environment as a JSON list, which no shell parses again.
launch+=(--env "COMMAND=$(json_list "${command[@]}")" --yes --detach-run "$here/$platform.yaml")
cd "$here/../.." # the task's workdir
run "${launch[@]}"
