"""Right and left lung of a chest CT, and the box around them that the network looks into."""

from .find import LEFT, METHODS, RIGHT, Lungs, find_lungs, lung_box

__all__ = ["LEFT", "METHODS", "RIGHT", "Lungs", "find_lungs", "lung_box"]
