"""Handover: what passes between a gateway and whoever keeps its listening sockets.

Whoever asks at the gateway's Unix socket gets one message: a JSON object with
`pid`, `port` (public), `controller` and `autoscaler` (ports where it looks for
them), and with it three descriptors: the public, the private and the admin
socket. The connection stays open, as does the one that a gateway is started with.
"""

LEAVING = b"leaving"
"""Said once, when no new connection is taken any more. An end without it is the end of the process."""

FIRST_BYTES_MAX = 4096
"""Of the message."""
