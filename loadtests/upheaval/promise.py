"""Promise: what an upheaval has to keep, and what is shown of its requests."""

from __future__ import annotations

from loadtests.upheaval.callers import Counts


class Promise(Exception):
    """One that did not hold."""


def show(counts: Counts) -> None:
    """Answers, repetitions, failures by cause."""
    print(f"  answered {counts.answered:,}, repeated {counts.repeated:,}, longest {counts.longest_s:.2f} s")
    print(f"  failed {counts.failed:,}", flush=True)
    for cause, count in counts.causes.most_common(10):
        print(f"    {count:>7,}  {cause}", flush=True)


def none_failed(counts: Counts) -> None:
    """Raises Promise."""
    if counts.failed:
        raise Promise(f"{counts.failed} of {counts.answered + counts.failed} requests failed")
