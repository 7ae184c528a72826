#!/usr/bin/env bash
# Follows the log of a run on one worker of a TPU.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip launch/tpu_vm/logs.sh
#
# RUN         name of the run; default: train
# WORKER      index of the worker; default: 0, the one that logs steps
# LINES       number of the last lines to show first; default: 100
# --dry-run   show the command, run nothing
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "" "$@"
want_command no
# shellcheck source=launch/tpu_vm/gcloud.sh
source "$here/gcloud.sh"
read_run
WORKER=${WORKER:-0} LINES=${LINES:-100}
check_number WORKER "the index of a worker"
check_number LINES "a number of lines"

on_workers "$WORKER" tail -n "$LINES" -F "$remote/logs/$RUN.log"
