# cython: language_level=3
"""forwarded: the Forwarded field (RFC 7239) made from X-Forwarded-*, where the caller sent none.

The platform's form (spec 1.10): the first element carries host and proto; the
peer of ours is not among the nodes. Values that are no tokens are quoted, IPv6
addresses bracketed, and all lines of X-Forwarded-For are read (weakness W12).
"""

from ext.base.span cimport span
from ext.http.head cimport head
from ext.proxy.exchange cimport exchange

cdef span forwarded_value(exchange* x, const head* h) noexcept nogil
