# A cluster of two nodes for checks: Redis as compose runs it, and what stands in front and beside.
# Reads nothing of the caller's settings. Needs deploy/processes.sh, deploy/checks/tools.sh and $work.

dir=$work
secret=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
redis=
nodes=("" "")
others=()

choose_ports() {
    read -ra ports <<<"$(free_ports 12 21000 | tr '\n' ' ')"
    public=("${ports[0]}" "${ports[1]}")
    internal=("${ports[2]}" "${ports[3]}")
    haproxy_port=${ports[4]}
    nginx_port=${ports[5]}
    prometheus_port=${ports[6]}
    collector_port=${ports[7]}
}

stop_all() {
    end "${nodes[@]}"
    end "${others[@]}"
    end "$redis"
    rm -rf "$work"
}

start_redis() {
    start redis redis-server "$PWD/helm/parlance/files/redis.conf" --port 0 --unixsocket "$work/redis.sock" --dir "$work"
    redis=$started
    until_true 10 redis-cli -s "$work/redis.sock" ping
}

# as_node INDEX: puts into $as_node what gives a program that node's settings and nothing of the caller's.
as_node() {
    as_node=(env -i -C "$work" PATH="$PATH"
        PARLANCE_LISTEN="127.0.0.1:${public[$1]}" PARLANCE_INTERNAL_LISTEN="127.0.0.1:${internal[$1]}"
        PARLANCE_REDIS__URL="unix://$work/redis.sock" PARLANCE_AUTH__JWT_SECRET="$secret"
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

page_is_there() { python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1"; }

start_haproxy() {
    start haproxy env PARLANCE_PROXY_BIND="127.0.0.1:$haproxy_port" \
        PARLANCE_NODE_1="127.0.0.1:${public[0]}" PARLANCE_NODE_1_CHECK="${internal[0]}" \
        PARLANCE_NODE_2="127.0.0.1:${public[1]}" PARLANCE_NODE_2_CHECK="${internal[1]}" \
        haproxy -db -f deploy/haproxy/haproxy.cfg
    others+=("$started")
    until_true 10 page_is_there "http://127.0.0.1:$haproxy_port/health"
}

start_nginx() {
    nginx_here "$work/nginx.conf" "$nginx_port" "127.0.0.1:${public[0]}" "127.0.0.1:${public[1]}"
    start nginx "$tools/debian-nginx/usr/sbin/nginx" -c "$work/nginx.conf" -p "$work" \
        -g "daemon off; pid $work/nginx.pid; error_log stderr;"
    others+=("$started")
    until_true 10 page_is_there "http://127.0.0.1:$nginx_port/health"
}

start_prometheus() {
    cp helm/parlance/files/alerts.yaml "$work"
    "$python/bin/python" - deploy/prometheus/prometheus.yml "127.0.0.1:${internal[0]}" "127.0.0.1:${internal[1]}" \
        >"$work/prometheus.yml" <<'PYTHON'
import sys, yaml

# Compose's file; only where the nodes are is another matter here.
config = yaml.safe_load(open(sys.argv[1]))
config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
job = config["scrape_configs"][0]
del job["dns_sd_configs"]
job["static_configs"] = [{"targets": sys.argv[2:]}]
print(yaml.safe_dump(config))
PYTHON
    start prometheus "$tools/debian-prometheus/usr/bin/prometheus" --config.file="$work/prometheus.yml" \
        --storage.tsdb.path="$work/prometheus" --web.listen-address="127.0.0.1:$prometheus_port"
    others+=("$started")
    until_true 30 page_is_there "http://127.0.0.1:$prometheus_port/-/ready"
}

start_collector() {
    start collector env COLLECTOR_LISTEN="127.0.0.1:$collector_port" "$collector" --config deploy/collector/collector.yaml
    others+=("$started")
    # It has nothing to read, but it answers.
    until_true 20 is_taken "$collector_port"
}

# load SECONDS URL…: clients that write and check every delivery; other users and rooms each time.
load() {
    local seconds=$1
    shift
    "$loadtest" run "$@" --secret "$secret" --clients 60 --rooms 6 --rate 60 --seconds "$seconds" --connects-per-second 60
}
