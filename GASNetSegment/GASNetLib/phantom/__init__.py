"""Synthetic chest CTs with exact masks: for the demo, the tests and the first steps of training."""

from .chest import Phantom, make_phantom
from .storage import write_labels, write_phantom

__all__ = ["Phantom", "make_phantom", "write_labels", "write_phantom"]
