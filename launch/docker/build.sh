#!/usr/bin/env bash
# Builds the image for TPU or GPU.
#
#     IMAGE=REGISTRY/negjax:tpu launch/docker/build.sh tpu --push
#
# IMAGE       default: negjax:tpu or negjax:gpu
# --push      push it, too
# --dry-run   show the commands, run nothing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "push" "$@"
take_platform
want_command no
extra=tpu
[[ $platform == tpu ]] || extra=cuda13
IMAGE=${IMAGE:-negjax:$platform}
need_program docker "it builds the image"

cd "$here/../.."
build=(docker build --file launch/docker/Dockerfile --build-arg "PLATFORM=$platform" --build-arg "EXTRA=$extra")
run "${build[@]}" --tag "$IMAGE" .
[[ -z ${given[push]:-} ]] || run docker push "$IMAGE"
