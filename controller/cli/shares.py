"""Shares: which revision gets which part of the requests; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.api.serving import TrafficTarget
from controller.cli.problem import Problem, nearest

Object = dict[str, Any]
LATEST = "@latest"
WHOLE = 100


def revision_of(said: str, service: str, known: Sequence[str]) -> str:
    """The revision that a user means: its name, its number, or @latest. Raises Problem with the nearest names."""
    if said == LATEST or said in known:
        return said
    if said.isdecimal() and f"{service}-{int(said):05d}" in known:
        return f"{service}-{int(said):05d}"
    raise Problem(
        f'revision "{said}" is not there', nearest(said, known) or f"use one of {', '.join(known)}, or {LATEST}"
    )


def split(said: Sequence[str], service: str, known: Sequence[str]) -> dict[str, int]:
    """Percent by revision. Raises Problem for what is no share, and when the sum is not 100."""
    found: dict[str, int] = {}
    for one in (part for word in said for part in word.split(",") if part):
        name, _, percent = one.rpartition("=")
        percent = percent.removesuffix("%")
        if not name or not percent.isdecimal() or int(percent) > WHOLE:
            raise Problem(f'--to: "{one}" is no share', "use REVISION=PERCENT, 0 to 100")
        revision = revision_of(name, service, known)
        found[revision] = found.get(revision, 0) + int(percent)
    if sum(found.values()) != WHOLE:
        raise Problem(f"--to: the shares sum up to {sum(found.values())}, and must to {WHOLE}")
    return found


def targets(shares: dict[str, int], tags: dict[str, str]) -> list[Object]:
    """`spec.traffic`. tags: revision by tag; a revision with one gets a share of 0 when it has none."""
    made: list[Object] = []
    free = dict(tags)
    for revision, percent in shares.items():
        tag = next((tag for tag, of in free.items() if of == revision), "")
        free.pop(tag, None)
        made.append(_target(revision, percent, tag))
    made += [_target(revision, 0, tag) for tag, revision in free.items()]
    return made


def _target(revision: str, percent: int, tag: str) -> Object:
    made: Object = {"percent": percent, "latestRevision": revision == LATEST}
    if revision != LATEST:
        made["revisionName"] = revision
    if tag:
        made["tag"] = tag
    return made


def shares_of(traffic: Sequence[TrafficTarget]) -> dict[str, int]:
    """What a status says, by revision."""
    found: dict[str, int] = {}
    for one in traffic:
        if one.percent:
            found[one.revision_name] = found.get(one.revision_name, 0) + one.percent
    return found


def tags_of(traffic: Sequence[TrafficTarget]) -> dict[str, str]:
    """Revision by tag, as a spec says it."""
    return {one.tag: one.revision_name or LATEST for one in traffic if one.tag}


def canary_of(shares: dict[str, int], newest_first: Sequence[str]) -> tuple[str, str]:
    """The revision that serves now and the new one. Raises Problem when there are no two."""
    if len(newest_first) < 2:
        raise Problem(
            "--canary: there is one revision only", "deploy another one first: penstock deploy … --no-traffic"
        )
    new = newest_first[0]
    others = {name: percent for name, percent in shares.items() if name != new}
    stable = max(others, key=lambda name: others[name]) if others else newest_first[1]
    return stable, new


def rollback_to(shares: dict[str, int], newest_first: Sequence[str]) -> str:
    """The revision before the newest one that has requests. Raises Problem when there is none."""
    serving = [name for name in newest_first if shares.get(name)]
    after = list(newest_first[newest_first.index(serving[0]) + 1 :]) if serving else []
    if not after:
        raise Problem("--rollback: there is no older revision that is ready")
    return after[0]


def steps_of(said: str) -> list[int]:
    """Percents of a canary, growing. Raises Problem."""
    words = [word.strip().removesuffix("%") for word in said.split(",")]
    if not all(word.isdecimal() and 0 < int(word) <= WHOLE for word in words):
        raise Problem(f'--canary: "{said}" is no list of percents', "such as --canary 10,50,100")
    steps = [int(word) for word in words]
    if steps != sorted(set(steps)):
        raise Problem(f'--canary: "{said}" does not grow', "such as --canary 10,50,100")
    return steps
