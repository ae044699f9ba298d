"""Fixtures and hooks that every test may use."""

from __future__ import annotations

import os

pytest_plugins = ("tests.specplugin",)

collect_ignore = [] if os.environ.get("PENSTOCK_CLUSTER_TEST") else ["cluster"]
