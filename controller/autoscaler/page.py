"""Page: the decisions of one revision as JSON, for whoever asks why (contract.decisions)."""

from __future__ import annotations

import msgspec

from dataplane.contract.decisions import PREFIX

from .bounds import UNKNOWN
from .deciders import Deciders
from .made import Made


class DecisionsPage(msgspec.Struct, frozen=True):
    """As `contract.decisions` has it; there stands what each field means."""

    decisions: list[Made]
    revision: str = ""
    pods: int = UNKNOWN
    ready: int = 0
    start_s: float = 0.0
    request_s: float = 0.0


def page(deciders: Deciders, path: str) -> str | None:
    """The text of a path; None where there is nothing."""
    name = path.removeprefix(PREFIX)
    decider = deciders.find(name)
    if name == path or decider is None:
        return None
    made = DecisionsPage(
        revision=name,
        pods=decider.pods,
        ready=decider.ready,
        start_s=decider.start_s,
        request_s=decider.activity.request_s,
        decisions=decider.history.all(),
    )
    return msgspec.json.encode(made).decode()


def read_page(text: bytes) -> DecisionsPage:
    """A page that was kept. Raises msgspec.DecodeError and ValidationError."""
    return msgspec.json.decode(text, type=DecisionsPage)
