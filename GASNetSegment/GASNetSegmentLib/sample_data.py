"""Sample CTs in Slicer's Sample Data module: a public one of a COVID-19 patient, fetched when it is clicked,
and a synthetic one, made here without a network."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

CATEGORY = "GASNet"
SYNTHETIC = "GASNetSyntheticCT"
SHAPE = (96, 192, 192)

COVID = "GASNetCovidCT"
COVID_URL = (
    "https://github.com/rbumm/SlicerLungCTAnalyzer/releases/download/SampleData/LungCTAnalyzerChestCT.nrrd"
)
COVID_SHA256 = "9bb74f4383bce0ced80243916e785ce564cc2c8f535e8273da8a04f80dff4287"
"""Address and hash as the extension Lung CT Analyzer publishes them in its source; a patient with COVID-19,
shown with the patient's permission."""


def register(icons: Path) -> None:
    """Add the samples to the Sample Data module, if this Slicer has it."""
    try:
        import SampleData
    except ImportError:
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=_("COVID-19 chest CT (Lung CT Analyzer)"),
        uris=COVID_URL,
        fileNames=f"{COVID}.nrrd",
        nodeNames=_("COVID-19 chest CT"),
        thumbnailFileName=str(icons / "GASNetSegment.svg"),
        checksums=f"SHA256:{COVID_SHA256}",
    )
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
