# Starting and stopping processes on this machine; read by deploy/local and by the checks that run a
# cluster. Logs go to the folder $dir.

dir=

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# Programs and the Debian packages that bring them.
ensure() {
    local missing=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports COUNT FROM [TAKEN…]: the first free ports, one a line.
free_ports() {
    local count=$1 port=$2 taken=" ${*:3} "
    while [ "$count" -gt 0 ] && [ "$port" -lt 65536 ]; do
        if [[ "$taken" != *" $port "* ]] && ! is_taken "$port"; then
            echo "$port"
            count=$((count - 1))
        fi
        port=$((port + 1))
    done
}

# Starts a program in a group of its own: Ctrl-C must reach only this script, which stops all in order.
# Its log is a file of the run; its process id is in $started.
start() {
    local log=$1
    shift
    set -m
    "$@" >"$dir/$log.log" 2>&1 </dev/null &
    started=$!
    set +m
}

is_running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Asks processes to end, and waits: 15 s are more than a node's drain.
end() {
    local pid rounds=150
    for pid in "$@"; do
        is_running "$pid" && kill -TERM "$pid" 2>/dev/null
    done
    for pid in "$@"; do
        while is_running "$pid" && [ "$rounds" -gt 0 ]; do
            sleep 0.1
            rounds=$((rounds - 1))
        done
        is_running "$pid" && kill -KILL "$pid" 2>/dev/null
    done
    return 0
}

# until_true SECONDS COMMAND…
until_true() {
    local rounds=$(($1 * 10))
    shift
    while [ "$rounds" -gt 0 ]; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
        rounds=$((rounds - 1))
    done
    return 1
}
