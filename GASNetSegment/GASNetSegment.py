"""GASNetSegment as 3D Slicer discovers it: what the module is, and its classes, taken from
GASNetSegmentLib."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from GASNetSegmentLib.logic import GASNetSegmentLogic  # noqa: E402
from GASNetSegmentLib.module import GASNetSegment  # noqa: E402
from GASNetSegmentLib.self_test import GASNetSegmentTest  # noqa: E402
from GASNetSegmentLib.widget import GASNetSegmentWidget  # noqa: E402

__all__ = ["GASNetSegment", "GASNetSegmentLogic", "GASNetSegmentTest", "GASNetSegmentWidget"]
