"""No test is timed: hypothesis' deadline would fail tests on a busy machine only."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
