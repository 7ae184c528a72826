# shellcheck shell=bash
# Functions to reach a TPU and its workers, which the scripts of this folder source after command.sh.

need_variable PROJECT "the Google Cloud project"
need_variable ZONE "the zone of the TPU, as in us-east5-b"
need_variable NAME "the name of the TPU"
check_match NAME '[a-z]([-a-z0-9]{0,60}[a-z0-9])?' "lower-case letters, digits and - only, first a letter"
where=(--project "$PROJECT" --zone "$ZONE")
need_program gcloud "install the Google Cloud CLI"

# The repository on every worker, below its home.
# shellcheck disable=SC2034  # used by those who source this
remote=negjax

# on_workers all|INDEX COMMAND...: runs a command there; ssh joins the words for a shell, so they are quoted.
on_workers() {
    local worker=$1
    shift
    run gcloud compute tpus tpu-vm ssh "$NAME" "${where[@]}" --worker "$worker" --command "$(quoted "$@")"
}

# Checks RUN, the name of a run's log and pid file on the workers.
read_run() {
    RUN=${RUN:-train}
    check_match RUN '[A-Za-z0-9][-A-Za-z0-9_.]*' "letters, digits, - _ and . only"
}
