#!/usr/bin/env bash
# On a worker of a TPU: a virtual environment beside the code, with the extras `tpu` and `gcs`.
#
#     bash negjax/launch/tpu_vm/worker/install.sh
#
# The system's Python is older than negjax needs, so uv installs one.
# --dry-run   show the commands, run nothing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=launch/command.sh
source "$here/../../command.sh"

read_arguments "" "$@"
want_command no
cd "$here/../../.."

run python3 -m pip install --quiet --user uv
run python3 -m uv venv --quiet --allow-existing --python 3.12 .venv
run python3 -m uv pip install --quiet --python .venv/bin/python --editable ".[tpu,gcs]"
