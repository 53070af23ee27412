"""The networks of GASNet, each made from plain data, so that a model file can say what to build."""

from .discriminator import create_discriminator
from .generator import create_generator
from .segmenters import SEGMENTERS, create_segmenter

__all__ = ["SEGMENTERS", "create_discriminator", "create_generator", "create_segmenter"]
