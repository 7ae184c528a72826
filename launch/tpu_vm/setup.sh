#!/usr/bin/env bash
# Copies this repository to all workers of a TPU and installs it there. To be run again after a change of the code.
#
#     PROJECT=my-project ZONE=us-east5-b NAME=clip launch/tpu_vm/setup.sh
#
# Files that git does not ignore are copied, committed or not: code and configs. Data, weights and results (see
# .gitignore) are not; run.sh --help says how a run gets them from a bucket.
#
# --dry-run   show the commands, run nothing
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=launch/command.sh
source "$here/../command.sh"

read_arguments "" "$@"
want_command no
# shellcheck source=launch/tpu_vm/gcloud.sh
source "$here/gcloud.sh"

root=$(cd "$here/../.." && pwd)
archive=negjax.tar.gz
folder='<temporary folder>'
if [[ -z ${given[dry-run]:-} ]]; then
    reason=$(git -C "$root" rev-parse 2>&1) || fail "$root: git cannot list the files to copy: ${reason//$'\n'/ }"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$root"
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do
            [[ ! -e $file ]] || printf '%s\0' "$file" # not files that were deleted but are still tracked
        done |
        tar --create --gzip --file "$folder/$archive" --null --files-from -
fi
run gcloud compute tpus tpu-vm scp "$folder/$archive" "$NAME:$archive" "${where[@]}" --worker all
on_workers all mkdir -p "$remote"
on_workers all tar --extract --gzip --file "$archive" --directory "$remote"
on_workers all bash "$remote/launch/tpu_vm/worker/install.sh"
