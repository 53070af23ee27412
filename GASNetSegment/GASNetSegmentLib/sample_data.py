"""Sample CTs in Slicer's Sample Data module: a synthetic one, made here without a network."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

CATEGORY = "GASNet"
SYNTHETIC = "GASNetSyntheticCT"
SHAPE = (96, 192, 192)


def register(icons: Path) -> None:
    """Add the samples to the Sample Data module, if this Slicer has it."""
    try:
        import SampleData
    except ImportError:
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=_("Synthetic chest CT with lesions"),
        uris=[],  # nothing is fetched: it is made here
        fileNames=[],
        thumbnailFileName=str(icons / f"{SYNTHETIC}.png"),
        customDownloader=lambda source: add_synthetic_ct(),
    )


def add_synthetic_ct(severity: str = "moderate", shape: tuple[int, int, int] = SHAPE):
    """Make a synthetic chest CT and add it to the scene; the same one each time."""
    from GASNetLib.phantom import make_phantom

    from .ct_nodes import volume_node_of

    phantom = make_phantom(seed=1, shape=shape, lesions=severity)
    node = volume_node_of(
        phantom.hu, phantom.geometry, slicer.mrmlScene.GenerateUniqueName(_("Synthetic chest CT"))
    )
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(1500, -500)
    return node
