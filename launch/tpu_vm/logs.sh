#!/usr/bin/env bash
# Follows the log of a run on one worker of a TPU.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip launch/tpu_vm/logs.sh
#
# RUN         name of the run; default: train
# WORKER      which worker; default: 0, the one that tells of steps
# LINES       how many of the last lines to begin with; default: 100
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
check_number WORKER "the number of a worker"
check_number LINES "a number of lines"

on_workers "$WORKER" tail -n "$LINES" -F "$remote/logs/$RUN.log"
