"""Many CTs one after the other: which there are in a folder, one of them, and the report of all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import check_writable
from .cohort.tree import FoundCase, find_cases
from .errors import Cancelled, InputError, in_words
from .lungs import METHODS

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


def tried(name: str, work: Callable[[], dict], seen: Callable[[Exception], None] | None = None) -> dict:
    """What ``work`` gives of a case; ``{"case": …, "error": …}`` where it fails, however: the others go on.

    Args:
        seen: hears of an error, for instance to show where it arose.

    Raises:
        Cancelled: the person wants no more of them.
    """
    try:
        return work()
    except Cancelled:
        raise
    except Exception as error:
        if seen:
            seen(error)
        return {"case": name, "error": in_words(error)}


def segment_case(
    name: str,
    ct: Path,
    output_folder: Path,
    model: Model,
    *,
    overwrite: bool = False,
    device: str = "auto",
    threshold: float | None = None,
    lungs_method: str = METHODS[0],
    progress: Callable[[str, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict:
    """Segment one CT file and write ``<name>.seg.nrrd`` into a folder.

    Args:
        overwrite: whether a file of that name is replaced: a person may have corrected it. If not, the case
            fails with that reason.

    Returns:
        The report of :func:`~GASNetLib.quantify.report`; where the case fails, ``{"case": …, "error": …}``.

    Raises:
        Cancelled: ``cancelled()``; nothing was written then.
    """

    def work() -> dict:
        from .export import write_segmentation
        from .quantify import report
        from .segment import segment
        from .volume import read_volume

        target = output_folder / f"{name}.seg.nrrd"
        if target.exists() and not overwrite:
            raise InputError(f"{target} is there already and stays.")
        found = segment(
            read_volume(ct),
            model,
            device=device,
            threshold=threshold,
            lungs_method=lungs_method,
            progress=progress,
            cancelled=cancelled,
        )
        write_segmentation(target, found)
        return report(found, name)

    return tried(name, work)


class BatchReport:
    """The report of many CTs on the disk, whole after each of them: a batch that is cut off loses nothing.

    Started again, a batch leaves out what is done; the figures that its report has of those cases stay in it.
    """

    def __init__(self, path: Path, overwrite: bool = False, *, single: bool = False) -> None:
        """
        Args:
            path: ``.json`` or ``.csv``.
            overwrite: begin anew where a report is there.
            single: a JSON report of one case is an object, not a list of one.

        Raises:
            InputError: what is there is no report. ResourceError: it could not be written.
        """
        check_writable(path)
        self._path, self._single = path, single
        self._earlier = {} if overwrite else _figures(path)
        self._rows: list[dict] = []

    def put(self, row: dict) -> dict:
        """Take a case into the report and write it; a case that fails keeps its earlier figures.

        Returns:
            The row.

        Raises:
            ResourceError: it cannot be written; the next row tries again.
        """
        from .quantify import write_report

        if "error" not in row:
            self._earlier.pop(row["case"], None)
        if row["case"] not in self._earlier:
            self._rows.append(row)
        rows = [*self._earlier.values(), *self._rows]
        write_report(self._path, rows[0] if self._single and len(rows) == 1 else rows)
        return row


def _figures(path: Path) -> dict[str, dict]:
    """The cases that a report has figures of, by name; none where there is no file.

    Raises:
        InputError: it is no report.
    """
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
        as_json = path.suffix.lower() == ".json"
        rows = json.loads(text) if as_json else list(csv.DictReader(io.StringIO(text)))
        measured = [row for row in ([rows] if isinstance(rows, dict) else rows) if not row.get("error")]
        return {row["case"]: {k: v for k, v in row.items() if k and k != "error"} for row in measured}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, csv.Error) as error:
        raise InputError(
            f"{path} is there and cannot be read as a report of cases.",
            "Move it away, or let the results go elsewhere.",
        ) from error
