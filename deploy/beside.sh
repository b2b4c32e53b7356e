# What compose runs beside the nodes, as plain processes, with the files that compose mounts. Read by
# deploy/local and by the checks that run a cluster.
#
# Each function takes the port to listen on. The nodes are those of the arrays $node_ports and
# $internal_ports; configuration, data and logs go to the folder $dir; what is started is noted in $others.
# Needs deploy/processes.sh and, for all but HAProxy, deploy/checks/tools.sh.

others=()

# page_is_there PORT PATH
page_is_there() (
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3
    read -r -t 2 _ status _ <&3
    [ "$status" = 200 ]
)

start_haproxy() {
    start haproxy env PARLANCE_PROXY_BIND="127.0.0.1:$1" \
        PARLANCE_NODE_1="127.0.0.1:${node_ports[0]}" PARLANCE_NODE_1_CHECK="${internal_ports[0]}" \
        PARLANCE_NODE_2="127.0.0.1:${node_ports[1]}" PARLANCE_NODE_2_CHECK="${internal_ports[1]}" \
        haproxy -db -f deploy/haproxy/haproxy.cfg
    others+=("$started")
    until_true 10 page_is_there "$1" /health
}

# nginx_here FILE PORT NODE…: the file but for its folders, and with these addresses in place of the nodes'.
nginx_here() {
    local file=$1 port=$2 folder index=0 node expressions=()
    folder=$(dirname "$1")
    shift 2
    for node in "$@"; do
        index=$((index + 1))
        expressions+=(-e "s|server node-$index:3000|server $node|")
    done
    sed -E "${expressions[@]}" -e '/server node-[0-9]:/d' -e "s|listen 3000|listen 127.0.0.1:$port|" \
        -e "s|^http \{|&\n$(printf "%s_temp_path $folder;" client_body proxy fastcgi uwsgi scgi)|" \
        deploy/nginx/nginx.conf >"$file"
}

start_nginx() {
    nginx_here "$dir/nginx.conf" "$1" "127.0.0.1:${node_ports[0]}" "127.0.0.1:${node_ports[1]}"
    start nginx "$nginx" -c "$dir/nginx.conf" -p "$dir" -g "daemon off; pid $dir/nginx.pid; error_log stderr;"
    others+=("$started")
    until_true 10 page_is_there "$1" /health
}

# Only where the nodes are is another matter here than in compose.
start_prometheus() {
    local targets="'127.0.0.1:${internal_ports[0]}', '127.0.0.1:${internal_ports[1]}'"
    cp helm/parlance/files/alerts.yaml "$dir"
    sed -E -e '/^      - names:/,/^        refresh_interval:/d' -e "s|^    dns_sd_configs:|    static_configs: [{ targets: [$targets] }]|" \
        -e "s|(scrape_interval\|scrape_timeout): .*|\1: 1s|" deploy/prometheus/prometheus.yml >"$dir/prometheus.yml"
    start prometheus "$prometheus" --config.file="$dir/prometheus.yml" \
        --storage.tsdb.path="$dir/prometheus" --web.listen-address="127.0.0.1:$1"
    others+=("$started")
    until_true 30 page_is_there "$1" /-/ready
}

# To be started before nodes that are told of it.
start_collector() {
    start collector env COLLECTOR_LISTEN="127.0.0.1:$1" "$collector" --config deploy/collector/collector.yaml
    others+=("$started")
    # It has no page, but it listens.
    until_true 20 is_taken "$1"
}
