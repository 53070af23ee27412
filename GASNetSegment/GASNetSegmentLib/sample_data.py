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
        customDownloader=download,
    )
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=_("Synthetic chest CT with lesions"),
        uris=[],  # nothing is fetched: it is made here
        fileNames=[],
        thumbnailFileName=str(icons / f"{SYNTHETIC}.png"),
        customDownloader=lambda source: load_synthetic_ct(),
    )


def download(source):
    """Fetch a sample as Slicer fetches its own, and say in plain words if nothing usable came: its own log
    leaves out why.

    Returns:
        The CT, or None.
    """
    nodes = _logic().downloadFromSource(source)
    if not nodes:
        slicer.util.errorDisplay(
            _(
                "{name} could not be downloaded, or what came is not the file that was published."
                " Check the network, or take the synthetic chest CT, which needs none."
            ).format(name=source.sampleName)
        )
    return nodes[0] if nodes else None


def load_synthetic_ct():
    """Make the synthetic chest CT and show it, as Slicer does with what it loads."""
    _logic().logMessage(_("Making a synthetic chest CT. This takes some seconds."))
    with slicer.util.WaitCursor():
        node = add_synthetic_ct()
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


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


def _logic():
    """Slicer's logic of sample data; that of its panel, if it was opened, shows how far a download is."""
    import SampleData

    panel = getattr(slicer.modules, "SampleDataWidget", None)
    return SampleData.SampleDataLogic() if panel is None else panel.logic
