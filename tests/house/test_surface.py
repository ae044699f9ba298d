"""Surface: what Python sees of the engine is what the tables say."""

from __future__ import annotations

from ext.base.faults import fault_names, fault_rows
from tests.house.test_generated import table_rows

RFC_9209_TYPES = {
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_header_section_size", "http_response_header_size",
    "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
    "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
    "http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error",
    "proxy_loop_detected",
}  # fmt: skip
"""The registered error types of RFC 9209 2.3."""


def test_the_fault_mirror_is_the_table() -> None:
    assert fault_names() == ("none", *(name.lower() for name in table_rows()))


def test_every_fault_has_a_type_that_rfc_9209_registers() -> None:
    assert {kind for _, _, _, _, _, kind, _ in fault_rows()[1:]} <= RFC_9209_TYPES


def test_every_fault_says_what_happened() -> None:
    assert all(detail for *_, detail in fault_rows()[1:])
