"""Looks whether all traces in the log of a collector that writes spans in detail are complete.

    traces.py <LOG
"""

import collections
import re
import sys

# Each part of a message's way, and the part that it follows.
PARTS = {"receive": None, "publish": "receive", "publish.lua": "publish", "deliver": "publish"}


def spans(log: str) -> list[dict]:
    found = []
    for text in re.split(r"^\s*Span #\d+$", log, flags=re.M)[1:]:
        span = {
            key: value.strip()
            for key, value in re.findall(r"^\s+(Trace ID|Parent ID|ID|Name)\s*:([^\n]*)$", text, re.M)
        }
        node = re.search(r"parlance\.node: Str\(([^)]*)\)", text)
        found.append(span | {"node": node and node[1]})
    return found


def problem(trace: list[dict]) -> str | None:
    by_name = collections.defaultdict(list)
    for span in trace:
        by_name[span["Name"]].append(span)
    for name, before in PARTS.items():
        parents = [it["ID"] for it in by_name[before]] if before else [""]
        if not any(it["Parent ID"] in parents for it in by_name[name]):
            return f"no {name} that follows {before or 'nothing'}"
    nodes = {it["node"] for it in by_name["deliver"]}
    return None if len(nodes) == 2 else f"delivered by {nodes}"


def main() -> int:
    traces = collections.defaultdict(list)
    for span in spans(sys.stdin.read()):
        traces[span["Trace ID"]].append(span)
    problems = collections.Counter(problem(it) for it in traces.values())
    print(f"{len(traces)} traces, of them complete: {problems[None]}", *problems.items(), sep="\n")
    return 0 if set(problems) == {None} else 1


if __name__ == "__main__":
    sys.exit(main())
