"""Shapes: how many users there are over the time of a load."""

from __future__ import annotations

import os

from locust import LoadTestShape

SECONDS = float(os.environ.get("LOAD_SECONDS", "20"))
PEAK = int(os.environ.get("LOAD_USERS", "60"))


class _Shape(LoadTestShape):
    """A load of SECONDS with at most PEAK users."""

    abstract = True

    def share(self, progress: float) -> float:
        """Users as a share of the peak, all of them unless a shape says otherwise; progress runs from 0 to 1."""
        return 1.0

    def tick(self) -> tuple[int, float] | None:
        """Users wanted now, and how many may start in a second; None at the end."""
        progress = self.get_run_time() / SECONDS  # type: ignore[no-untyped-call]
        if progress >= 1:
            return None
        return max(1, round(PEAK * self.share(progress))), PEAK


class Steady(_Shape):
    """The same number all the time."""


class Step(_Shape):
    """Four equal steps up."""

    def share(self, progress: float) -> float:
        return (int(progress * 4) + 1) / 4


class Ramp(_Shape):
    """From nothing to the peak, in a straight line."""

    def share(self, progress: float) -> float:
        return progress


class Burst(_Shape):
    """Mostly a tenth; five times, for a moment, all of them."""

    def share(self, progress: float) -> float:
        return 1.0 if progress * 5 % 1 > 0.7 else 0.1


class Sawtooth(_Shape):
    """Three ramps, each of which ends at once."""

    def share(self, progress: float) -> float:
        return progress * 3 % 1


SHAPES = {shape.__name__.lower(): shape for shape in (Steady, Step, Ramp, Burst, Sawtooth)}
