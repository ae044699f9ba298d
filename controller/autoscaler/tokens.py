"""Tokens: finds out, by TokenReview, which pod a token is bound to.

What a token says is believed after the API server has vouched for it, and then
until the token itself expires. Whoever asks for the bearer still has to see
that this very pod exists.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from dataplane.contract.announcement import AUDIENCE
from dataplane.kube.client import Client
from dataplane.kube.resource import TOKEN_REVIEWS

ACCOUNT = "system:serviceaccount:"
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"

KEPT_MAX = 10_000
"""Reviews; the oldest goes first. A pod announces itself once, so few are ever asked for again."""

AT_ONCE_MAX = 16
"""Reviews on their way, whatever arrives here: the API server has others to serve."""


class TokenRefused(Exception):
    """Why a token is not believed, as a phrase for a log line."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """The pod that a token is bound to."""

    namespace: str
    name: str
    uid: str


class Tokens:
    """now: Unix seconds, as tokens expire by the clock on the wall."""

    def __init__(self, client: Client, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now = now
        self._kept: OrderedDict[bytes, tuple[float, Bearer]] = OrderedDict()
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)

    async def bearer(self, token: str) -> Bearer:
        """Raises TokenRefused, and KubeError when the API server does not answer."""
        key = sha256(token.encode()).digest()
        kept = self._kept.get(key)
        if kept is not None:
            if kept[0] > self._now():
                return kept[1]
            del self._kept[key]
        async with self._turn:
            found = _bearer(await self._review(token))
        until = _expiry_s(token)
        if until > self._now():
            self._kept[key] = until, found
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return found

    async def _review(self, token: str) -> Any:
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        answer = await self._client.create(TOKEN_REVIEWS, None, body, dict[str, Any])
        return answer.get("status") or {}


def _bearer(status: dict[str, Any]) -> Bearer:
    if not status.get("authenticated"):
        raise TokenRefused(status.get("error") or "the API server does not know the token")
    # An authenticator that knows no audiences vouches for tokens that were made for others.
    if AUDIENCE not in (status.get("audiences") or ()):
        raise TokenRefused(f"the token is not for the audience {AUDIENCE}")
    user = status.get("user") or {}
    account, extra = user.get("username") or "", user.get("extra") or {}
    names: list[str] = extra.get(POD_NAME) or []
    uids: list[str] = extra.get(POD_UID) or []
    if not account.startswith(ACCOUNT) or len(names) != 1 or len(uids) != 1:
        raise TokenRefused(f'the token of "{account}" is not bound to a pod')
    return Bearer(account.removeprefix(ACCOUNT).partition(":")[0], names[0], uids[0])


def _expiry_s(token: str) -> float:
    """What the token says of itself, in Unix seconds; 0 when it says nothing."""
    try:
        claims = token.partition(".")[2].partition(".")[0]
        said = json.loads(urlsafe_b64decode(claims + "=="))["exp"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0.0
    return float(said) if isinstance(said, int | float) else 0.0
