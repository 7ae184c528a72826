# shellcheck shell=bash
# Functions that the scripts of launch/ source: they read arguments, check them, and show or run a command.
#
# Data never becomes shell source: commands are arrays, and where a shell stands between (ssh), printf %q quotes them.

fail() {
    printf '%s: error: %s\n' "$(basename "$0")" "$1" >&2
    exit 2
}

# The script's leading comment is its help.
show_help() {
    sed -n '2,/^[^#]/ { /^#/!q; /^#SBATCH/d; s/^# \{0,1\}//; p; }' "$0"
}

# read_arguments "FLAG ..." "$@"
# Sets given[FLAG]=1 for each flag that is given, words=(the words before --), command=(the words after it).
declare -A given=()
words=()
command=()
read_arguments() {
    local flags=" $1 dry-run "
    shift
    while (($#)); do
        case $1 in
            --help | -h)
                show_help
                exit 0
                ;;
            --)
                shift
                command=("$@")
                [[ -z ${given[dry-run]:-} ]] || hide_secrets # nothing is run
                return
                ;;
            --*)
                [[ $flags == *" ${1#--} "* ]] || fail "unknown argument $1 (see --help)"
                given[${1#--}]=1
                ;;
            *) words+=("$1") ;;
        esac
        shift
    done
}

# Replaces the values of secrets in command: WANDB_API_KEY=..., HF_TOKEN=..., --token ..., before it is shown, also
# those of assignments within a word: bash -c "HF_TOKEN=... negjax train".
secret_name='[A-Za-z0-9_]*(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS|api_key|token|secret|password)[A-Z0-9_]*='
secret_within="(.*[^A-Za-z0-9_])(${secret_name})(\"[^\"]*\"|'[^']*'|[^[:space:]'\"]+)(.*)"
hide_secrets() {
    local index word rest before=
    for index in "${!command[@]}"; do
        word=${command[index]} rest=
        if [[ $before =~ ^--(api-key|token|secret|password)$ ]]; then
            word=hidden
        elif [[ $word =~ ^(--(api-key|token|secret|password)=|$secret_name). ]]; then
            word=${BASH_REMATCH[1]}hidden
        else
            while [[ $word =~ $secret_within ]]; do # the last one first
                word=${BASH_REMATCH[1]}
                rest="${BASH_REMATCH[2]}hidden${BASH_REMATCH[5]}$rest"
            done
        fi
        before=${command[index]}
        command[index]=$word$rest
    done
}

# want_command yes|no: fails unless a command is given after --, or none is; and if there are words before --.
want_command() {
    ((${#words[@]} == 0)) || fail "${words[0]}: not expected here (see --help)"
    if [[ $1 == yes ]]; then
        ((${#command[@]})) || fail "no command: give it after --, as in -- negjax train --config FILE --workdir DIR"
    else
        ((${#command[@]} == 0)) || fail "${command[0]}: this script takes no command (see --help)"
    fi
}

# Sets platform from the one word before --, tpu or gpu.
take_platform() {
    if ((${#words[@]} != 1)) || [[ ! ${words[0]} =~ ^(tpu|gpu)$ ]]; then
        fail "no platform: $(basename "$0") tpu or $(basename "$0") gpu (see --help)"
    fi
    # shellcheck disable=SC2034  # used by those who source this
    platform=${words[0]}
    words=()
}

# can_resume STATUS: whether the same command is to be run again. 75: it lost another process of its run; 143: it saved
# after a SIGTERM; others above 128: a signal killed it, as when memory is short or a host fails; not 130, an interrupt.
can_resume() {
    (($1 == 75 || ($1 > 128 && $1 != 130)))
}

quoted() {
    local line
    printf -v line ' %q' "$@"
    printf '%s\n' "${line:1}"
}

# Runs a command, or with --dry-run shows it as it could be typed.
run() {
    if [[ ${given[dry-run]:-} ]]; then
        quoted "$@"
    else
        "$@"
    fi
}

# need_program NAME HINT: fails if the program is not installed; a dry run needs none.
need_program() {
    [[ ${given[dry-run]:-} ]] || type -P "$1" >/dev/null || fail "$1 is not installed: $2"
}

# A JSON list of strings, which is YAML too.
json_list() {
    python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@"
}

# need_variable VARIABLE MEANING
need_variable() {
    [[ -n ${!1:-} ]] || fail "$1 is not set: $2"
}

# check_match VARIABLE PATTERN EXPECTED
check_match() {
    [[ ${!1} =~ ^($2)$ ]] || fail "$(quoted "$1=${!1}"): $3"
}

# check_number VARIABLE EXPECTED: a whole number, without leading zeros, which shells and YAML read as octal.
check_number() {
    check_match "$1" '0|[1-9][0-9]*' "$2"
}
