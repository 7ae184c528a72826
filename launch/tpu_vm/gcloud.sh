# shellcheck shell=bash
# How the scripts of this folder speak to a TPU, sourced by them after command.sh: to which one, and which worker.

need_variable PROJECT "the Google Cloud project"
need_variable ZONE "the zone of the TPU, as in us-east5-b"
need_variable NAME "the name of the TPU"
check_match NAME '[a-z]([-a-z0-9]{0,60}[a-z0-9])?' "lower-case letters, digits and - only, first a letter"
where=(--project "$PROJECT" --zone "$ZONE")
need_program gcloud "install the Google Cloud CLI"

# The repository on every worker, below its home.
# shellcheck disable=SC2034  # used by those who source this
remote=negjax

# on_workers all|NUMBER COMMAND...: runs a command there; ssh joins words to a line for the shell, so they are quoted.
on_workers() {
    local worker=$1
    shift
    run gcloud compute tpus tpu-vm ssh "$NAME" "${where[@]}" --worker "$worker" --command "$(quoted "$@")"
}

# The run's name on the workers, from RUN: of its log and its process.
read_run() {
    RUN=${RUN:-train}
    check_match RUN '[A-Za-z0-9][-A-Za-z0-9_.]*' "letters, digits, - _ and . only"
}
