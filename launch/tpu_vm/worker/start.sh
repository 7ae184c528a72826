#!/usr/bin/env bash
# On a worker of a TPU: starts a command that outlives the connection, its output in logs/RUN.log.
#
#     bash negjax/launch/tpu_vm/worker/start.sh RUN negjax train ...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=launch/command.sh
source "$here/../../command.sh"

(($# >= 2)) || fail "start.sh RUN COMMAND..."
name=$1
shift
cd "$here/../../.."
mkdir -p logs
if pid=$(cat "logs/$name.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null; then
    fail "the run $name is running as process $pid of $(hostname): run stop.sh first, or set another RUN"
fi
# shellcheck source=launch/env.sh
source launch/env.sh tpu
export PATH="$PWD/.venv/bin:$PATH"
setsid nohup bash launch/again.sh -- "$@" >>"logs/$name.log" 2>&1 </dev/null &
printf '%s\n' "$!" >"logs/$name.pid"
printf '%s: %s started, process %s\n' "$(hostname)" "$name" "$!"
