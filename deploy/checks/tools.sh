# Tools that checks need, pinned, in a cache outside the tree; and how a check is told.
# Read by deploy/check-operations, deploy/check-running and deploy/check-upgrade.

HELM=v3.19.5
HELM_UNITTEST=v1.0.0
GATEWAY_API=v1.4.1
PROMETHEUS_OPERATOR=v0.85.0
# deploy/collector/builder.yaml has the versions of its parts.
COLLECTOR_BUILDER=v0.160.0

tools=${PARLANCE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/parlance-tools}
work=$(mktemp -d)
passed=0
failed=0

# check NAME COMMAND…: silent unless it fails.
check() {
    local name=$1 began=$SECONDS
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name ($((SECONDS - began)) s)"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        sed 's/^/      /' "$work/output"
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# Programs of Debian's packages, unpacked and not installed: the package would start a server.
unpack_debian() {
    local package=$1 folder=$tools/debian-$1
    [ -d "$folder" ] && return 0
    mkdir -p "$work/debian" "$tools" && chmod 755 "$work" "$work/debian" || return
    (
        cd "$work/debian" || exit
        # The lists of a new machine are empty or old.
        apt-get download -q "$package" || { as_root apt-get update -qq && apt-get download -q "$package"; }
    ) && dpkg -x "$work/debian/$package"_*.deb "$work/debian/$package" && mv "$work/debian/$package" "$folder"
}

install_debian() {
    unpack_debian prometheus && unpack_debian nginx || return
    command -v haproxy python3 dpkg >/dev/null && python3 -c 'import ensurepip' && return 0
    as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends haproxy python3-venv
}

# Each version has a folder of its own, so that another one is another tool.
install_go() {
    local folder=$tools/$1 module=$2
    [ -n "$(ls -A "$folder" 2>/dev/null)" ] && return 0
    command -v go >/dev/null || { echo "no go here; see https://go.dev/doc/install"; return 1; }
    mkdir -p "$folder" && GOFLAGS=-buildvcs=false GOBIN=$folder go install "$module"
}

install_python() {
    [ -e "$python/complete" ] && return 0
    rm -rf "$python"
    python3 -m venv "$python" && "$python/bin/pip" install --quiet -r deploy/checks/requirements.txt && touch "$python/complete"
}

# The parts that compose's collector needs, built into one program.
install_collector() {
    [ -x "$collector" ] && return 0
    local folder builder=$tools/collector-builder-$COLLECTOR_BUILDER
    folder=$(dirname "$collector")
    install_go "collector-builder-$COLLECTOR_BUILDER" "go.opentelemetry.io/collector/cmd/builder@$COLLECTOR_BUILDER" || return
    mkdir -p "$folder" "$work/collector"
    sed "s|^dist:|&\n  output_path: $work/collector|" deploy/collector/builder.yaml >"$work/builder.yaml"
    GOFLAGS=-buildvcs=false "$builder/builder" --config "$work/builder.yaml" && mv "$work/collector/collector" "$collector"
}

version_of() { cksum <"$1" | cut -d' ' -f1; }

python=$tools/python-$(version_of deploy/checks/requirements.txt)
helm=$tools/helm-$HELM/helm
nginx=$tools/debian-nginx/usr/sbin/nginx
prometheus=$tools/debian-prometheus/usr/bin/prometheus
promtool=$tools/debian-prometheus/usr/bin/promtool
collector=$tools/collector-$(version_of deploy/collector/builder.yaml)/collector
