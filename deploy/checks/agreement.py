"""What is said in several places is the same in all of them.

    agreement.py dashboards   rules for the dashboards
    agreement.py queries      prints the dashboards' queries as rules, for promtool to read
    agreement.py metrics      dashboards, alerts and the chart name only metrics of the code; OPERATIONS.md tells all
    agreement.py alerts       each alert has a runbook in OPERATIONS.md and a unit test
    agreement.py closings     OPERATIONS.md tells every reason and code with which a connection ends
    agreement.py settings     the chart's settings are those of config/parlance.example.toml
    agreement.py compose      what compose mounts and what it sets is there
"""

import json
import pathlib
import re
import sys
from collections.abc import Iterator

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/parlance"
DASHBOARDS = sorted((CHART / "files/dashboards").glob("*.json"))
ALERTS = CHART / "files/alerts.yaml"
EXAMPLE = ROOT / "config/parlance.example.toml"
# Settings that the chart sets by itself.
OF_THE_CHART = {
    "listen", "internal_listen", "data_dir", "redis.url", "auth.jwt_secret", "auth.public_key_file", "blobs.secret",
    "api.keys", "access.token", "dialects.dir",
}


def alerts() -> list[dict]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels(dashboard: dict) -> Iterator[dict]:
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def expressions(dashboard: dict) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def dashboards() -> Iterator[str]:
    if not DASHBOARDS:
        yield "there are none"
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text())
        for name in ("uid", "title", "description"):
            if not dashboard.get(name):
                yield f"{file.name}: has no {name}"
        variables = [it["name"] for it in dashboard["templating"]["list"]]
        if variables != ["datasource", "job", "instance"]:
            yield f"{file.name}: its variables are {variables}"
        ids = [it["id"] for it in dashboard["panels"]]
        if len(ids) != len(set(ids)):
            yield f"{file.name}: two panels have one id"
        places = [it["gridPos"] for it in dashboard["panels"]]
        for at, one in enumerate(places):
            if any(overlap(one, other) for other in places[at + 1 :]):
                yield f"{file.name}: panels overlap at {one}"
        for panel in panels(dashboard):
            yield from (f"{file.name}: {panel['title']}: {it}" for it in of_panel(panel))


def overlap(a: dict, b: dict) -> bool:
    return (
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )


def of_panel(panel: dict) -> Iterator[str]:
    if not panel.get("description"):
        yield "has no description"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "has no unit"
    if not panel.get("targets"):
        yield "asks nothing"
    for source in [panel["datasource"], *(it["datasource"] for it in panel["targets"])]:
        if source != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"its data source is {source}"
    for target in panel["targets"]:
        expr = target["expr"]
        for labels in re.findall(r"[a-z_]+(\{[^}]*\})", expr):
            if not labels.startswith('{job=~"$job", instance=~"$instance"'):
                yield f"a selector does not begin with job and instance: {labels}"
        if re.search(r"\b(parlance_\w+|up)\b(?!\{)", expr):
            yield f"a metric has no selector: {expr}"
        for window in re.findall(r"\[([^]]+)\]", expr):
            if window != "$__rate_interval":
                yield f"a window is {window}: use $__rate_interval"
        if re.search(r"_total\b|_count\b|_bucket\b", expr) and not re.search(r"\b(rate|increase)\(", expr):
            yield f"a counter without rate or increase: {expr}"


def filled_in(expr: str) -> str:
    """Grafana's variables are replaced by what they may stand for."""
    for variable, value in (("$__rate_interval", "1m"), ("$job", "parlance"), ("$instance", ".+")):
        expr = expr.replace(variable, value)
    return expr


def queries() -> None:
    rules = []
    for file in DASHBOARDS:
        for _, expr in expressions(json.loads(file.read_text())):
            rules.append({"record": f"panel:{len(rules)}", "expr": filled_in(expr)})
    print(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))


def metrics_of_code() -> set[str]:
    files = [it for it in (ROOT / "node/src").rglob("*.rs") if "tests" not in it.relative_to(ROOT).with_suffix("").parts]
    # Tests stand last in a file.
    sources = [it.read_text().split("#[cfg(test)]\nmod tests")[0] for it in files]
    return {name for text in sources for name in re.findall(r'"(parlance_[a-z]+(?:_[a-z]+)*)"', text)}


def metrics() -> Iterator[str]:
    counted = metrics_of_code()
    told = set(re.findall(r"^\| `(parlance_[a-z_]+)` \|", (ROOT / "OPERATIONS.md").read_text(), re.M))
    for name in sorted(counted ^ told):
        yield f"{name}: is {'not told in OPERATIONS.md' if name in counted else 'told in OPERATIONS.md, and no code counts it'}"
    parts = ("_bucket", "_count", "_sum")
    known = counted | {name + part for name in counted if name.endswith("_seconds") for part in parts}
    used = {(file.name, expr) for file in DASHBOARDS for _, expr in expressions(json.loads(file.read_text()))}
    used |= {(rule["alert"], rule["expr"]) for rule in alerts()}
    used.add(("templates/hpa.yaml", (CHART / "templates/hpa.yaml").read_text()))
    for place, text in sorted(used):
        for name in re.findall(r"\bparlance_[a-z_]+", text):
            if name not in known:
                yield f"{place}: no code counts {name}"


def alerts_are_kept() -> Iterator[str]:
    runbooks = set(re.findall(r"^#+ (Parlance\w+)$", (ROOT / "OPERATIONS.md").read_text(), re.M))
    tests = yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yaml").read_text())["tests"]
    fires, quiet = set(), set()
    for test in tests:
        for case in test["alert_rule_test"]:
            (fires if case.get("exp_alerts") else quiet).add(case["alertname"])
    names = [rule["alert"] for rule in alerts()]
    for rule in alerts():
        name = rule["alert"]
        if name not in runbooks:
            yield f"{name}: OPERATIONS.md has no section of this name"
        if rule["annotations"].get("runbook") != f"OPERATIONS.md#{name.lower()}":
            yield f"{name}: its runbook is {rule['annotations'].get('runbook')}"
        if not {"summary", "description"} <= rule["annotations"].keys() or "severity" not in rule["labels"]:
            yield f"{name}: lacks a summary, a description or a severity"
        if name not in fires or name not in quiet:
            yield f"{name}: needs a unit test in which it fires and one in which it does not"
    for name in sorted(runbooks - set(names)):
        yield f"OPERATIONS.md: {name} is no alert"


def closings() -> Iterator[str]:
    sources = {name: (ROOT / "node/src" / name).read_text() for name in ("domain/close.rs", "gateway/websocket/frame.rs")}
    reasons = set(re.findall(r'Self::\w+ => "([a-z_]+)"', sources["domain/close.rs"]))
    codes = set(re.findall(r"Self::\w+ => ([14]\d{3}),", sources["gateway/websocket/frame.rs"]))
    section = (ROOT / "OPERATIONS.md").read_text().split("\n## Why connections end\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.M)
    told = {it for row in rows for it in re.findall(r"[a-z_]+|\d{4}", row)}
    if not reasons or not codes:
        yield "the code has none: this check looks at the wrong place"
    for missing in sorted((reasons | codes) - told):
        yield f"OPERATIONS.md: does not tell {missing}"


def settings_of_example() -> set[str]:
    found, section = set(), ""
    for line in EXAMPLE.read_text().splitlines():
        if head := re.fullmatch(r"\[([a-z_.]+)\]", line):
            section = head[1] + "."
        elif setting := re.match(r"#?([a-z_]+) = ", line):
            found.add(section + setting[1])
    return found


def settings_of_schema(schema: dict, prefix: str = "") -> Iterator[str]:
    for name, below in schema["properties"].items():
        if "properties" in below:
            yield from settings_of_schema(below, f"{prefix}{name}.")
        else:
            yield prefix + name


def settings() -> Iterator[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["settings"]
    chart = set(settings_of_schema(schema))
    node = settings_of_example()
    if not OF_THE_CHART <= node:
        yield f"not in the example file: {sorted(OF_THE_CHART - node)}"
    for name in sorted(chart - node):
        yield f"values.schema.json: the node has no setting {name}"
    for name in sorted(node - chart - OF_THE_CHART):
        yield f"values.schema.json: lacks settings.{name}"


def compose() -> Iterator[str]:
    text = (ROOT / "docker-compose.yml").read_text()
    services = yaml.safe_load(text)["services"]
    known = settings_of_example()
    # They may stand in .env, which a node that runs beside compose reads as well.
    for variable in re.findall(r"\$\{PARLANCE_(\w+)", text):
        if variable.lower().replace("__", ".") not in known:
            yield f"asks for PARLANCE_{variable}, which in .env is no setting of a node"
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and not (ROOT / source).exists():
                yield f"{name}: mounts {source}, which is not there"
        for variable in service.get("environment", {}):
            setting = variable.removeprefix("PARLANCE_").lower().replace("__", ".")
            if service.get("image") == "parlance" and setting not in known and not variable.startswith("OTEL_"):
                yield f"{name}: sets {variable}, and no node reads it"


CHECKS = {
    "dashboards": dashboards,
    "metrics": metrics,
    "alerts": alerts_are_kept,
    "closings": closings,
    "settings": settings,
    "compose": compose,
}


if __name__ == "__main__":
    if sys.argv[1] == "queries":
        sys.exit(queries())
    problems = list(CHECKS[sys.argv[1]]())
    print(*problems, sep="\n")
    sys.exit(1 if problems else 0)
