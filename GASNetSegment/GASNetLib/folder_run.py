"""Many CTs one after the other: which there are in a folder, one of them, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .cohort.tree import FoundCase, find_cases
from .errors import Cancelled, GASNetError, InputError

if TYPE_CHECKING:
    from .model import Model

TABLE_FILE = "results.csv"


def cases_in(folder: str | Path, leave_out: Collection[Path] = ()) -> tuple[list[FoundCase], list[dict]]:
    """CTs in a folder and below it, by name, and a report ``{"case": …, "error": …}`` for each fault there.

    A folder that directly holds DICOM is a CT itself. What the names of files mean: ``cohort.read_cohort``.

    Args:
        leave_out: folders of results; those that lie inside the folder are not looked into.

    Raises:
        InputError: no such folder, or no CT in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Choose a folder with CTs.")
    cases, faults = find_cases(folder, leave_out, may_be_series=True)
    if not cases:
        also = f" ({'; '.join(faults)})" if faults else ""
        raise InputError(
            f"The folder {folder} holds no CT{also}.", "Choose a folder with CTs or with DICOM folders."
        )
    return cases, [{"case": str(folder), "error": f"{fault}."} for fault in faults]


def segment_case(
    name: str,
    ct: Path,
    output_folder: Path,
    model: Model,
    *,
    device: str = "auto",
    threshold: float | None = None,
    lungs_method: str = "classical",
    progress: Callable[[str, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict:
    """Segment one CT file and write ``<name>.seg.nrrd`` into a folder.

    Returns:
        The report of :func:`~GASNetLib.quantify.report`; where the case fails, ``{"case": …, "error": …}``.

    Raises:
        Cancelled: ``cancelled()``; nothing was written then.
    """
    from .export import write_segmentation
    from .quantify import report
    from .segment import segment
    from .volume import read_volume

    try:
        found = segment(
            read_volume(ct),
            model,
            device=device,
            threshold=threshold,
            lungs_method=lungs_method,
            progress=progress,
            cancelled=cancelled,
        )
        target = output_folder / f"{name}.seg.nrrd"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_segmentation(target, found)
        return report(found, name)
    except Cancelled:
        raise
    except GASNetError as error:
        return {"case": name, "error": str(error)}
    except OSError as error:
        return {"case": name, "error": f"{output_folder} cannot be written to ({error.strerror})."}


def write_table(output_folder: Path, reports: Sequence[dict]) -> Path:
    """Write the table of all cases so far; after each case, so that a run that is cut off loses nothing.

    Raises:
        ResourceError: the folder cannot be written to.
    """
    from .quantify import write_report

    return write_report(output_folder / TABLE_FILE, list(reports))
