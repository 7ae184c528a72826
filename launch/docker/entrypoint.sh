#!/usr/bin/env bash
# In the image: sets the environment of its PLATFORM and becomes the command, which so gets the signals itself.
#
#     docker run negjax:gpu negjax train --config configs/scenes_pretrain.py --workdir runs/pretrain
set -euo pipefail
# shellcheck source=launch/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh" "${PLATFORM:?tpu, gpu or cpu}"
exec "$@"
