"""Leaving: when an activator that was told to end may do so (DP-230, W40). Pure.

Requests keep coming until every endpoint has let go of it, and a little
longer, as routers learn of that later. An upgraded connection has no end of
its own, so it gets as long as upstream gives everything.
"""

from __future__ import annotations

LONGEST_NS = 45_000_000_000
"""After the last new request, or after TERM: for endpoints to let go, and for upgraded connections."""

QUIET_NS = 1_000_000_000
"""Out of the endpoints, and no new request for so long: nobody sends any more."""


def may_leave(now_ns: int, term_ns: int, newest_ns: int, running: int, upgraded: int, is_wanted: bool) -> bool:
    """Times are of one monotonic clock.

    newest_ns  when the newest request began; 0: there was none
    running    requests that wait or run, upgraded connections not counted
    is_wanted  some endpoints still have this activator
    """
    if running:
        return False
    since_ns = now_ns - max(term_ns, newest_ns)
    if since_ns >= LONGEST_NS:
        return True
    return not is_wanted and not upgraded and since_ns >= QUIET_NS
