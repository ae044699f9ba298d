"""Fixtures of the tests of objects."""

from __future__ import annotations

import pytest

from tests.unit.controller.api.sent import Api


@pytest.fixture
def api() -> Api:
    """Admission under the default settings, asked by nobody."""
    return Api()
