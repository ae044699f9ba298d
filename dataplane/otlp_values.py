"""Attributes: names and values as OTLP carries them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue


def clean(text: str) -> str:
    """Text as valid UTF-8; a byte that is none, kept as a surrogate until now, becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def put_attributes(into: object, pairs: Iterable[tuple[str, str | int]]) -> None:
    """Adds attributes to a repeated field of KeyValue."""
    for name, value in pairs:
        item: KeyValue = into.add()  # type: ignore[attr-defined]
        item.key = name
        if isinstance(value, int):
            item.value.int_value = value
        else:
            item.value.string_value = clean(value)
