#!/usr/bin/env bash
# Runs a command on TPU slices of a GKE cluster that was created by XPK.
#
#     PROJECT=my-project ZONE=us-east5-b CLUSTER=clip NAME=pretrain TYPE=v6e-16 IMAGE=REGISTRY/negjax:tpu \
#         launch/gke/xpk.sh -- negjax train --config configs/scenes_pretrain.py --workdir gs://my-bucket/runs/pretrain \
#         --config.data_dir=gs://my-bucket/data
#
# Data sets and weights must be in a bucket, too. `negjax quickstart --workdir runs/quickstart` draws these sets, and
# `gcloud storage cp --recursive runs/quickstart/data gs://my-bucket` puts them there; your own come from `negjax data
# build`. Where a config starts from weights, add --config.model.init_from=gs://my-bucket/weights/clip_b32 or the like.
#
# IMAGE is one of launch/docker. XPK restarts the workload after an exit with 143 (saved after a SIGTERM), 75 (a host lost
# another one) or a death by a signal; the same command resumes.
#
# SLICES        of TYPE each; default: 1
# MAX_RESTARTS  default: 50
# GRACE         seconds for saving after a SIGTERM; default: 120
# --dry-run     show the command, run nothing
set -euo pipefail
# shellcheck source=launch/command.sh
source "$(dirname "${BASH_SOURCE[0]}")/../command.sh"

read_arguments "" "$@"
want_command yes
need_variable PROJECT "the Google Cloud project"
need_variable ZONE "the zone of the cluster, as in us-east5-b"
need_variable CLUSTER "the name of the GKE cluster"
need_variable NAME "the name of the workload"
need_variable TYPE "the TPU type, as in v6e-16"
need_variable IMAGE "the image, made by launch/docker/build.sh tpu"
SLICES=${SLICES:-1} MAX_RESTARTS=${MAX_RESTARTS:-50} GRACE=${GRACE:-120}
check_match NAME '[a-z]([-a-z0-9]{0,38}[a-z0-9])?' "at most 40 lower-case letters, digits and -, first a letter"
check_match SLICES '[1-9][0-9]*' "a whole number from 1"
check_number MAX_RESTARTS "a whole number"
check_number GRACE "seconds, a whole number"
need_program xpk "pip install xpk"

# XPK gives its command to a shell in place of the image's entry point, which sets the environment; exec, because XPK
# sends the SIGTERM to what that shell started.
line=$(quoted exec bash /negjax/launch/docker/entrypoint.sh "${command[@]}")
create=(xpk workload create --project "$PROJECT" --zone "$ZONE" --cluster "$CLUSTER" --workload "$NAME")
create+=("--tpu-type=$TYPE" "--num-slices=$SLICES" --docker-image "$IMAGE" "--max-restarts=$MAX_RESTARTS")
create+=(--restart-on-exit-codes=75) # besides 42 and 127 to 255
create+=("--termination-grace-period-seconds=$GRACE" --command "$line")
run "${create[@]}"
