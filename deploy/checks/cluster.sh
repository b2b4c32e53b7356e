# A cluster of two nodes for checks: Redis as compose runs it, and what stands in front and beside.
# Reads nothing of the caller's settings. Needs deploy/processes.sh, deploy/beside.sh
# and deploy/checks/tools.sh.

dir=$work
secret=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
redis=
nodes=("" "")

choose_ports() {
    read -ra ports <<<"$(free_ports 12 21000 | tr '\n' ' ')"
    node_ports=("${ports[0]}" "${ports[1]}")
    internal_ports=("${ports[2]}" "${ports[3]}")
    haproxy_port=${ports[4]}
    nginx_port=${ports[5]}
    prometheus_port=${ports[6]}
    collector_port=${ports[7]}
    redis_port=${ports[8]}
}

stop_all() {
    end "${nodes[@]}"
    end "${others[@]}"
    end "$redis"
    rm -rf "$work"
}

start_redis() {
    start redis redis-server "$PWD/helm/parlance/files/redis.conf" --bind 127.0.0.1 --port "$redis_port" \
        --unixsocket "$work/redis.sock" --dir "$work"
    redis=$started
    until_true 10 redis-cli -s "$work/redis.sock" ping && add_user
}

# The user that OPERATIONS.md gives to nodes, and nothing more.
add_user() {
    local line command
    line=$(sed -nE 's/^ +(ACL SETUSER parlance .*)$/\1/p' OPERATIONS.md)
    read -ra command <<<"${line/PASSWORD/$secret}"
    [ "$(redis-cli -s "$work/redis.sock" "${command[@]}")" = OK ]
}

nothing_was_denied() {
    local denied
    denied=$(redis-cli -s "$work/redis.sock" acl log)
    [ -z "$denied" ] || { echo "$denied"; return 1; }
}

# as_node INDEX: puts into $as_node what gives a program that node's settings and nothing of the caller's.
as_node() {
    as_node=(env -i -C "$work" PATH="$PATH"
        PARLANCE_LISTEN="127.0.0.1:${node_ports[$1]}" PARLANCE_INTERNAL_LISTEN="127.0.0.1:${internal_ports[$1]}"
        PARLANCE_REDIS__URL="redis://parlance:$secret@127.0.0.1:$redis_port" PARLANCE_AUTH__JWT_SECRET="$secret"
        PARLANCE_ROOMS__POLICY=open PARLANCE_TRUSTED_PROXIES=127.0.0.0/8 PARLANCE_LOG__FORMAT=json
        PARLANCE_LIMITS__EVENTS_PER_SECOND=0 PARLANCE_LIMITS__CONNECTIONS_PER_ADDRESS=0
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$collector_port" OTEL_BSP_SCHEDULE_DELAY=200
        OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=0.1)
}

# start_node INDEX PROGRAM: returns when the node is ready.
start_node() {
    as_node "$1"
    start "node-$1" "${as_node[@]}" "$2" serve
    nodes[$1]=$started
    until_true 60 "${as_node[@]}" "$2" healthcheck
}

# replace_node INDEX PROGRAM: as an upgrade does, and with time for clients to come back.
replace_node() {
    end "${nodes[$1]}"
    start_node "$1" "$2" && sleep 2
}

# load SECONDS URL…: clients that write and check every delivery; other users and rooms each time.
load() {
    local seconds=$1
    shift
    # An odd number of rooms: each has clients at every one of an even number of addresses.
    "$loadtest" run "$@" --secret "$secret" --clients 60 --rooms 5 --rate 60 --seconds "$seconds" --connects-per-second 60
}
