"""Decisions: what the autoscaler tells of itself: why a revision has the pods that it has.

    GET http://AUTOSCALER:8080/decisions/NAMESPACE/REVISION

200 and a JSON object, or 404 for a revision that it does not know:

    revision   NAMESPACE/REVISION
    pods       decided last, before the least and the most allowed were applied; -1: nothing yet
    ready      pods that serve
    start_s    how long a pod takes to start, as far as was seen
    request_s  how long a request takes at a pod; 0: not known
    decisions  those that changed something, and the last one of all, oldest first, each:
        at_s      Unix seconds
        decision  pods; excess: capacity beyond the wished burst, below 0 the activator stays in the path;
                  reason: in words and numbers
        question  all that went into it, with its algorithm: asked again, it has the same answer
"""

from __future__ import annotations

PREFIX = "/decisions/"
"""Of the path; NAMESPACE/REVISION follows."""
