"""The networks of GASNet, each made from plain data, so that a model file can say what to build."""

from .segmenters import SEGMENTERS, create_segmenter

__all__ = ["SEGMENTERS", "create_segmenter"]
