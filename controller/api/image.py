"""Image: the reference of a container image, as registries write it."""

from __future__ import annotations

import re

REPOSITORY_MIN, REPOSITORY_MAX = 1, 255
TAG_MAX = 128

_REGISTRY = re.compile(r"(?:[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def reference_problem(text: str) -> str:
    """What is wrong with `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`; empty: nothing."""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return f"could not parse reference: {text}: {digest} is no digest"
    head, colon, tag = rest.rpartition(":")
    if colon and "/" not in tag:
        rest = head
        if not re.fullmatch(rf"[A-Za-z0-9_][-A-Za-z0-9_.]{{0,{TAG_MAX - 1}}}", tag):
            return f"could not parse reference: {text}: {tag} is no tag"
    first, slash, others = rest.partition("/")
    has_registry = bool(slash) and (first == "localhost" or any(mark in first for mark in ".:"))
    if has_registry and not _REGISTRY.fullmatch(first):
        return f"could not parse reference: {text}: {first} is no registry"
    repository = others if has_registry else rest
    if not REPOSITORY_MIN <= len(repository) <= REPOSITORY_MAX:
        return (
            f"could not parse reference: {text}: "
            f"repository must be between {REPOSITORY_MIN} and {REPOSITORY_MAX} characters in length"
        )
    if not re.fullmatch(r"[a-z0-9_./-]+", repository):
        return f"could not parse reference: {text}: repository can only contain the characters a-z, 0-9, _, -, . and /"
    return ""
