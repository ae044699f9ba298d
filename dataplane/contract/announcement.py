"""Announcement: what a sidecar says to the autoscaler when its pod can serve for the first time.

    POST http://AUTOSCALER:8092/ready        Authorization: Bearer TOKEN, a body of JSON as below

    204  believed: activators that hold requests for the revision send them now
    400  the message is wrong
    401  the token is none of a pod, is for somebody else, or has expired
    403  the token is another pod's
    429, 503  asked again a little later

The token is a projected one for `AUDIENCE`, bound to the pod and mounted for
the sidecar alone: the app shares the pod's address, but cannot say this.
"""

from __future__ import annotations

from .document import DocumentError, record_of, text
from .record import Record

PATH = "/ready"
AUDIENCE = "readiness.penstock.dev"
TOKEN_FOLDER = "/var/run/secrets/penstock.dev"
TOKEN_NAME = "token"


class Announcement(Record):
    """A pod that serves from now on."""

    pod: str
    """NAMESPACE/NAME."""
    revision: str
    """NAMESPACE/NAME."""
    address: str


_READER = record_of(Announcement, {"pod": text, "revision": text, "address": text})


def read_announcement(value: object) -> Announcement:
    """Raises DocumentError with every problem."""
    problems: list[str] = []
    read: Announcement = _READER(value, "announcement", problems)
    if problems:
        raise DocumentError(problems)
    return read
