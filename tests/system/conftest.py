"""Fixtures of the tests that run whole processes."""

from tests.sidecarfixture import sidecar

__all__ = ["sidecar"]
