#!/usr/bin/env bash
# Entry point of the image: sets the environment of its PLATFORM and executes the command, which gets the signals.
#
#     docker run --gpus all --volume "$PWD/runs:/negjax/runs" negjax:gpu \
#         negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain \
#         --config.data_dir=runs/quickstart/data
#
# The sets of this example are those that `negjax quickstart --workdir runs/quickstart` draws.
set -euo pipefail
# shellcheck source=launch/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh" "${PLATFORM:?tpu, gpu or cpu}"
exec "$@"
