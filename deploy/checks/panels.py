"""Asks a Prometheus for what each panel of the dashboards shows; a panel that shows nothing is a mistake, and so
is an alert that it cannot evaluate.

    panels.py URL
"""

import json
import sys
import urllib.parse
import urllib.request

from agreement import DASHBOARDS, alerts, expressions, filled_in


def answer(url: str, expr: str) -> list:
    query = urllib.parse.urlencode({"query": expr})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as response:
        return json.load(response)["data"]["result"]


def broken_rules(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=10) as response:
        groups = json.load(response)["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    if len(rules) != len(alerts()):
        return [f"{len(rules)} of {len(alerts())} alerts are known"]
    return [f"{it['name']}: {it['health']} {it.get('lastError', '')}" for it in rules if it["health"] != "ok"]


def main(url: str) -> int:
    asked = failed = 0
    for file in DASHBOARDS:
        for title, expr in expressions(json.loads(file.read_text())):
            asked += 1
            values = [it["value"][1] for it in answer(url, filled_in(expr))]
            if not values or all(it == "NaN" for it in values):
                failed += 1
                print(f"{file.name}: {title}: shows nothing: {expr}")
    broken = broken_rules(url)
    print(*broken, f"{asked} queries asked", sep="\n")
    return 1 if failed or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
