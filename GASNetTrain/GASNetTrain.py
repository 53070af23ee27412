"""GASNetTrain as 3D Slicer discovers it: what the module is, and its classes, taken from GASNetTrainLib."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
# Installed, both modules lie in one folder; in the source tree the engine lies in the sister module's.
for _folder in (os.path.join(os.path.dirname(_HERE), "GASNetSegment"), _HERE):
    if os.path.isdir(_folder) and _folder not in sys.path:
        sys.path.insert(0, _folder)

from GASNetTrainLib.logic import GASNetTrainLogic  # noqa: E402
from GASNetTrainLib.module import GASNetTrain  # noqa: E402
from GASNetTrainLib.self_test import GASNetTrainTest  # noqa: E402
from GASNetTrainLib.widget import GASNetTrainWidget  # noqa: E402

__all__ = ["GASNetTrain", "GASNetTrainLogic", "GASNetTrainTest", "GASNetTrainWidget"]
