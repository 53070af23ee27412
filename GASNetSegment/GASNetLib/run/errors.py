"""What can go wrong in a training."""

from __future__ import annotations

from ..errors import GASNetError


class RunError(GASNetError):
    """A training that cannot start or cannot go on."""
