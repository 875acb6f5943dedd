#!/bin/sh
# Submits a job to Callboard from a pipeline, prints its output as it comes, and ends with 0 if the job is successful, else with 1.
# Needs curl 7.63 and jq. docs/ci.md describes it.
#
#   run-job.sh REQUEST.json     runs the job that the file describes
#   run-job.sh --cancel         cancels the job that an earlier call has left in this folder, because it was killed
#
# CALLBOARD_URL       the service's address, such as https://callboard.example.com
# CALLBOARD_RUN       what names this attempt of this run of the pipeline, and no other; it makes submitting the job twice harmless
# CALLBOARD_TOKEN     an API key or a token; on GitHub leave it out, a token is then asked for whenever one is needed
# CALLBOARD_AUDIENCE  whom GitHub's tokens are for, as the policy says; callboard if it is not set
set -eu

: "${CALLBOARD_URL:?is not set: the address of the service}"
base=${CALLBOARD_URL%/}
# how often a request is sent that gets no answer, or one that may pass
tries=8
# GitHub's tokens are valid for five minutes
renew_after=120

job_file=callboard-job
job='' running='' stop='' following='' resume='' token=${CALLBOARD_TOKEN:-} token_at=0
work=$(mktemp -d)

say() {
    printf 'callboard: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# Ends what is waited for, so that the rest of the script can act on it.
on_signal() {
    stop=yes
    [ -z "$running" ] || kill "$running" 2>/dev/null || true
}

clean_up() {
    [ -z "$resume" ] || printf '\n::%s::\n' "$resume"
    rm -rf "$work"
}

trap on_signal HUP INT TERM
trap clean_up EXIT

# Returns whether nothing is to be waited for any more, because a signal has come while the job was followed.
is_over() {
    [ -n "$stop" ] && [ -n "$following" ]
}

# Waits for the last command that was started in the background; a signal ends both. Its exit code is in $code.
await() {
    running=$! code=0
    # the signal may have come before
    ! is_over || kill "$running" 2>/dev/null || true
    wait "$running" || code=$?
    running=''
}

pause() {
    ! is_over || return 0
    sleep "$1" >/dev/null 2>&1 &
    await
}

# Sends a request with curl's arguments. What is secret goes through a pipe: it is in no list of processes and in no file.
send() {
    code=1
    ! is_over || return 0
    printf 'authorization: Bearer %s\n' "$1" | {
        shift
        exec curl --silent --show-error --no-buffer --connect-timeout 10 --header @- "$@"
    } &
    await
}

# Sees to it that $token is valid for a while; fails if GitHub gives none.
renew_token() {
    [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] && [ -z "${CALLBOARD_TOKEN:-}" ] || return 0
    now=$(date +%s)
    [ $((now - token_at)) -ge "$renew_after" ] || return 0
    send "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" --fail --max-time 30 --output "$work/token" \
        "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=${CALLBOARD_AUDIENCE:-callboard}"
    [ "$code" = 0 ] && token=$(jq -er .value "$work/token") || return 1
    rm -f "$work/token"
    token_at=$now
}

# Sends a request to the API, again if need be: ask METHOD PATH [CURL'S ARGUMENTS]. The status is in $status, the body in $work/answer.
ask() {
    method=$1 path=$2 try=0 renewed=''
    shift 2
    while :; do
        status=000 silent='GitHub, which was asked for a token'
        : >"$work/answer"
        if renew_token; then
            silent=$base
            send "$token" --request "$method" --max-time 60 --output "$work/answer" --write-out '%{http_code}' "$@" \
                "$base$path" >"$work/status"
            [ "$code" != 0 ] || status=$(cat "$work/status")
        fi
        if [ "$status" = 401 ] && [ "$token_at" != 0 ] && [ -z "$renewed" ]; then
            # the machine may have slept meanwhile
            token_at=0 renewed=yes
            continue
        fi
        # a submission is answered with 409 while an earlier try of it is not
        case "$method $status" in
        *' 000' | *' 408' | *' 429' | *' 5'?? | 'POST 409') ;;
        *) return 0 ;;
        esac
        ! is_over || return 0
        try=$((try + 1))
        [ "$try" -lt "$tries" ] || return 0
        pause "$((try * 2))"
    done
}

# Says why the last request was refused.
refused() {
    told=$(jq -r '(.detail // .title // .message), (.errors[]? | "\(.pointer // .parameter // .header): \(.detail)")' \
        "$work/answer" 2>/dev/null) || told=''
    case $status in
    000) say "$1: there is no answer from $silent" ;;
    *) say "$1: status $status. ${told:-The answer gives no reason.}" ;;
    esac
}

# Returns something of the job's record, which was asked for last.
of_record() {
    jq -r "$1" "$work/answer"
}

submit() {
    key=$(printf '%s-%s' "$CALLBOARD_RUN" "$(cksum <"$1")" | tr ' ' '-')
    ask POST /api/v1/jobs --header 'content-type: application/json' --header "idempotency-key: $key" --data-binary "@$1"
    case $status in
    200 | 202) ;;
    *)
        refused 'the job was not submitted'
        exit 1
        ;;
    esac
    job=$(of_record .job_id)
    printf '%s\n' "$job" >"$job_file"
    say "job $job is submitted"
}

cancel() {
    following=''
    ask DELETE "/api/v1/jobs/$job"
    case $status in
    200 | 202) say "job $job is canceled" ;;
    409) say "job $job has ended already" ;;
    *)
        refused "job $job was not canceled, and goes on"
        exit 1
        ;;
    esac
    rm -f "$job_file"
}

# Prints what there is of an attempt's output after its first $printed bytes, and what comes; the status is in $status.
print_output() {
    if ! renew_token; then
        status=000
        return 0
    fi
    send "$token" --fail --header "range: bytes=$printed-" --write-out '%{stderr}\n%{http_code} %{size_download}\n' \
        "$base/api/v1/jobs/$job/logs?attempt=$attempt&follow=$follow" 2>"$work/told"
    status=000 size=0
    # of a request that was ended there may be nothing
    read -r status size <<TOLD || true
$(tail -n 1 "$work/told")
TOLD
    case $status in
    206) printed=$((printed + size)) ;;
    esac
}

# Follows the job to its end, attempt by attempt. What breaks off is continued at the next byte.
follow_job() {
    following=yes attempt=1 printed=0 follow=true failures=0
    while [ -z "$stop" ]; do
        ask GET "/api/v1/jobs/$job"
        [ -z "$stop" ] || return 0
        if [ "$status" != 200 ]; then
            refused "job $job goes on, but cannot be followed"
            exit 1
        fi
        ended=$(of_record '.status | . != "pending" and . != "running"')
        starts=$(of_record '.attempts | length')
        over=$(of_record ".attempts[$attempt - 1].finished_at != null")
        if [ "$starts" -lt "$attempt" ]; then
            [ "$ended" = false ] || return 0
            pause 2
            continue
        fi
        before=$printed
        print_output
        case $status in
        206) failures=0 follow=true ;;
        416) failures=0 ;;
        # too many follow: look from time to time
        429) follow=false ;;
        *) failures=$((failures + 1)) ;;
        esac
        if [ "$failures" -ge "$tries" ]; then
            say "the output after byte $printed cannot be read"
            [ "$ended" = false ] || return 0
            failures=0
        fi
        if [ "$status" = 416 ] && { [ "$over" = true ] || [ "$ended" = true ]; }; then
            attempt=$((attempt + 1)) printed=0
        elif [ "$printed" = "$before" ]; then
            pause 2
        fi
    done
}

# Ends as the job has ended, whose record was asked for last.
conclude() {
    rm -f "$job_file"
    say "job $job $(of_record '
        if .status == "successful" then "is successful"
        elif .status == "canceled" then "was canceled by \(.cancel.by // "somebody")"
        else "failed (\(.reason)): \(.error)" end')"
    [ "$(of_record .status)" = successful ] || exit 1
}

case ${1:-} in
--cancel)
    [ -f "$job_file" ] || exit 0
    job=$(cat "$job_file")
    cancel
    exit 0
    ;;
'') die "name the file with the job's request" ;;
esac
: "${CALLBOARD_RUN:?is not set: what names this attempt of this run of the pipeline}"
[ -n "$token" ] || [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] ||
    die 'there is no token: set CALLBOARD_TOKEN, or on GitHub the permission id-token: write'
[ -r "$1" ] || die "$1 cannot be read"
rm -f "$job_file"

# what a job prints is no command to GitHub
if [ -n "${GITHUB_ACTIONS:-}" ]; then
    resume=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '::stop-commands::%s\n' "$resume"
fi
submit "$1"
follow_job
if [ -n "$stop" ]; then
    cancel
    exit 1
fi
conclude
