"""GASNetSegment as 3D Slicer discovers it: what the module is; its other classes come from its library."""

import os
import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

_HERE = os.path.dirname(os.path.abspath(__file__))
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from GASNetSegmentLib import comparison_layout, own_layouts, sample_data, terminology  # noqa: E402
from GASNetSegmentLib.logic import GASNetSegmentLogic  # noqa: E402
from GASNetSegmentLib.self_test import GASNetSegmentTest  # noqa: E402
from GASNetSegmentLib.widget import GASNetSegmentWidget  # noqa: E402

__all__ = ["GASNetSegment", "GASNetSegmentLogic", "GASNetSegmentTest", "GASNetSegmentWidget"]

HOMEPAGE = "https://arxiv.org/abs/2010.09456"


class GASNetSegment(ScriptedLoadableModule):
    """Name, place, help and citation of the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("GASNet Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SubjectHierarchy", "Terminologies"]
        parent.contributors = ["GASNet contributors"]
        parent.helpText = _(
            "Finds COVID-19 lesions in a chest CT with one click, measures them, lets you correct them and"
            " keeps the corrected case as a labelled sample for training."
            ' See the <a href="{link}">paper</a> and the README of the extension.'
            " Not a medical device: for research only."
        ).format(link=HOMEPAGE)
        parent.acknowledgementText = _(
            "The method is that of Xu Z, Cao Y, Jin C, et al., <i>GASNet: Weakly-supervised Framework for"
            " COVID-19 Lesion Segmentation</i>, 2020 (arXiv:2010.09456)."
            " Please cite it where you use this module."
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self) -> None:
        """Register what needs other modules."""
        terminology.register(slicer.modules.terminologies.logic(), Path(self.resourcePath("")))
        sample_data.register(Path(self.resourcePath("Icons")))
        comparison_layout.register()
        window = slicer.util.mainWindow()
        if window is not None:
            window.moduleSelector().connect("moduleSelected(QString)", self.onModuleSelected)

    def onModuleSelected(self, name: str) -> None:
        """Slicer that is closed first leaves its last module, then keeps its layout for the next start."""
        if not name:
            own_layouts.put_back()
