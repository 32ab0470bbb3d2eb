# Progress of set-up: `step LABEL COMMAND...` runs COMMAND with its output in $log and shows on
# stderr what runs, for how long, and on failure the end of the log. Sourced by setup.sh, which sets
# log and steps (the number of steps to come).

step_number=0
ticker=

step() {
    local label=$1 start=$SECONDS status=0
    shift
    step_number=$((step_number + 1))
    printf '[%d/%d] %s ...' "$step_number" "$steps" "$label" >&2
    printf '\n== %s: %s\n' "$label" "$*" >>"$log"
    tick "$label" 9>&- & ticker=$!
    "$@" >>"$log" 2>&1 </dev/null 9>&- || status=$?
    stop_ticker
    if [ "$status" -eq 0 ]; then
        [ -t 2 ] && printf '\r\033[K[%d/%d] %s ...' "$step_number" "$steps" "$label" >&2
        printf ' done in %d s\n' $((SECONDS - start)) >&2
        return
    fi
    printf ' FAILED after %d s (exit code %d). End of %s:\n\n' $((SECONDS - start)) "$status" "$log" >&2
    grep -v '^WARNING: Location' "$log" | tail -n 15 | sed 's/^/    /' >&2
    printf '\nMend the cause and run the same command again: it goes on from this step.\n' >&2
    exit 1
}

# A terminal sees the seconds run; a log file gets a line every 30 seconds.
tick() {
    local start=$SECONDS
    while sleep 1; do
        if [ -t 2 ]; then
            printf '\r\033[K[%d/%d] %s ... %d s' "$step_number" "$steps" "$1" $((SECONDS - start)) >&2
        elif [ $(((SECONDS - start) % 30)) -eq 0 ]; then
            printf ' %d s ...' $((SECONDS - start)) >&2
        fi
    done
}

stop_ticker() {
    [ -z "$ticker" ] || kill "$ticker" 2>/dev/null || true
    [ -z "$ticker" ] || wait "$ticker" 2>/dev/null || true
    ticker=
}
trap stop_ticker EXIT
