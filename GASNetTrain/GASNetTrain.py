"""GASNetTrain as 3D Slicer discovers it: what the module is; its other classes come from its library."""

import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

_HERE = os.path.dirname(os.path.abspath(__file__))
# Installed, both modules lie in one folder; in the source tree the engine lies in the sister module's.
for _folder in (os.path.join(os.path.dirname(_HERE), "GASNetSegment"), _HERE):
    if os.path.isdir(_folder) and _folder not in sys.path:
        sys.path.insert(0, _folder)

from GASNetTrainLib import quit_question, start_notice  # noqa: E402
from GASNetTrainLib.logic import GASNetTrainLogic  # noqa: E402
from GASNetTrainLib.self_test import GASNetTrainTest  # noqa: E402
from GASNetTrainLib.widget import GASNetTrainWidget  # noqa: E402

__all__ = ["GASNetTrain", "GASNetTrainLogic", "GASNetTrainTest", "GASNetTrainWidget"]

HOMEPAGE = "https://arxiv.org/abs/2010.09456"


class GASNetTrain(ScriptedLoadableModule):
    """Name, place, help and citation of the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("GASNet Train")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["GASNetSegment", "Plots"]
        parent.contributors = ["GASNet contributors"]
        parent.helpText = _(
            "Trains the network of GASNet Segment on your own CTs, from as little as one corrected case, in a"
            " process of its own while you go on working; shows how it goes, compares the result with the"
            ' model in use, and deploys it. See the <a href="{link}">paper</a> and the README of the'
            " extension. Not a medical device: for research only."
        ).format(link=HOMEPAGE)
        parent.acknowledgementText = _(
            "The method is that of Xu Z, Cao Y, Jin C, et al., <i>GASNet: Weakly-supervised Framework for"
            " COVID-19 Lesion Segmentation</i>, 2020 (arXiv:2010.09456)."
            " Please cite it where you use this module."
        )
        self._closing = False
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)
        # And not aboutToQuit: Slicer unloads its modules, this one too, before any other slot hears of it.
        slicer.app.connect("lastWindowClosed()", self.onLastWindowClosed)

    def onStartupCompleted(self) -> None:
        """Slicer is up."""
        start_notice.tell_of_ended_trainings()

    def onLastWindowClosed(self) -> None:
        """A person ends Slicer. A script that ends it is not asked."""
        if not self._closing:  # else the question was the last window
            self._closing = True
            quit_question.settle_trainings()
