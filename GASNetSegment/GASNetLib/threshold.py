"""What a threshold on the probability of lesion may be."""

from __future__ import annotations


def checked_threshold(threshold: float) -> float:
    """The threshold, if it is one.

    Raises:
        ValueError: not between 0 and 1.
    """
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"a threshold lies between 0 and 1, not at {threshold}")
    return float(threshold)
