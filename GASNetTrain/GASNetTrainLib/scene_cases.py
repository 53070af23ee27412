"""A CT of the scene as a case: by its file if the scene has not changed it, else by a copy."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from GASNetLib.atomic import written_aside
from GASNetSegmentLib.ct_nodes import ct_array, geometry_of, image_hash

from .cohort_table import CohortTable

SCENE_FOLDER = "From the scene"


def add_scene_case(cohort: CohortTable, volume_node, role: str, case_folder: Path) -> int:
    """Add a CT of the scene to a cohort; returns how many cases were new.

    Raises:
        InputError: no CT is chosen. CohortError: it is in the cohort already.
        ResourceError: it cannot be written.
    """
    array = ct_array(volume_node)
    path = _unchanged_file(volume_node)
    if path is None:
        path = case_folder / SCENE_FOLDER / f"ct-{image_hash(volume_node)[:12]}.nrrd"
        with written_aside(path) as aside:
            sitk.WriteImage(geometry_of(volume_node).image(array), str(aside), useCompression=True)
    cohort.add(path, role, name=volume_node.GetName())
    return 1


def _unchanged_file(volume_node) -> Path | None:
    """The one file that holds the volume as it is; None for a series, or after changes."""
    storage = volume_node.GetStorageNode()
    if storage is None or storage.GetNumberOfFileNames() > 1 or volume_node.GetModifiedSinceRead():
        return None
    path = Path(storage.GetFileName() or "")
    return path if path.is_file() and path.suffix.lower() != ".dcm" else None
