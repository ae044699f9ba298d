"""targets: what is fuzzed with coverage, each a function behind a fuzz door of ext.testing."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fuzz.frames import APPS, CALLERS
from tests.fuzz.messages import BODIES, FIRST_BYTES, REQUESTS, RESPONSES
from tests.fuzz.scripts import SCRIPTS


@dataclass(frozen=True, slots=True)
class Target:
    """One function under the fuzzer."""

    name: str
    """Also the name of its kept corpus."""

    door: str
    """The module that declares it in its .pxd."""

    function: str
    """`int function(const char* data, size_t n)`; not 0: a promise is broken."""

    dictionary: str
    """File beside this one with the words of its language."""

    seeds: tuple[bytes, ...]
    """Inputs to begin with, settings in front."""


def with_settings(messages: list[bytes], bits: int) -> list[bytes]:
    """Each message strictly and observing; the second byte says where a body is cut."""
    return [bytes([bits | observe, 3]) + message for message in messages for observe in (0, 1)]


TARGETS = (
    Target(
        name="h1_message",
        door="ext.testing.fuzz_http",
        function="fuzz_message",
        dictionary="h1.dict",
        seeds=(*with_settings(REQUESTS, 0), *with_settings(RESPONSES, 2), *with_settings(RESPONSES, 6)),
    ),
    Target(
        name="h1_chunked",
        door="ext.testing.fuzz_http",
        function="fuzz_chunked",
        dictionary="h1.dict",
        seeds=(*with_settings(BODIES, 0), *with_settings(BODIES, 2)),
    ),
    Target(
        name="h2_server",
        door="ext.testing.fuzz_h2",
        function="fuzz_server",
        dictionary="h2.dict",
        seeds=tuple(bytes([kind, 7 * kind]) + frames for frames in CALLERS for kind in range(16)),
    ),
    Target(
        name="h2_client",
        door="ext.testing.fuzz_h2",
        function="fuzz_client",
        dictionary="h2.dict",
        seeds=tuple(bytes([kind, 7 * kind]) + frames for frames in APPS for kind in range(16)),
    ),
    Target(
        name="sniff",
        door="ext.testing.fuzz_sniff",
        function="fuzz_sniff",
        dictionary="h1.dict",
        seeds=tuple(bytes([kind, 4 * kind]) + said for said in FIRST_BYTES for kind in range(12)),
    ),
    Target(
        name="tls",
        door="ext.testing.fuzz_tls",
        function="fuzz_tls",
        dictionary="tls.dict",
        seeds=SCRIPTS,
    ),
)
