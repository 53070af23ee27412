"""The module's description."""

from __future__ import annotations

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

HOMEPAGE = "https://github.com/GASNet/SlicerGASNet"


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
            ' model in use, and deploys it. See the <a href="{link}">documentation</a>. For research only.'
        ).format(link=HOMEPAGE)
        parent.acknowledgementText = _(
            "The method is that of Xu Z, Cao Y, Jin C, et al., <i>GASNet: Weakly-supervised Framework for"
            " COVID-19 Lesion Segmentation</i>, 2020 (arXiv:2010.09456). Please cite it where you use this"
            " module."
        )
