"""Markdown: the figures of a stored result as a table, as the project's README shows them.

Usage  python -m loadtests.compare.markdown FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def table(document: dict[str, list[dict[str, str]]]) -> str:
    """One row for each figure of a file of `loadtests/results`."""
    rows = [
        f"| {row['figure']} | {row['target']} | {row.get('measured', '-')} | {row.get('verdict', 'not measured')} |"
        for row in document["figures"]
    ]
    return "\n".join(["| What | Target | Measured | |", "|---|---|---|---|", *rows])


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m loadtests.compare.markdown FILE", file=sys.stderr)
        return 2
    try:
        shown = table(json.loads(Path(sys.argv[1]).read_text()))
    except (OSError, ValueError, KeyError) as e:
        print(f"{sys.argv[1]} is no result of `make bench`: {e}", file=sys.stderr)
        return 2
    print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
