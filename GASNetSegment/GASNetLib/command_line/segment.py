"""``gasnet segment``: one CT, many, or a folder tree of them."""

from __future__ import annotations

import argparse
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..device import DEVICES
from ..export import DICOM_ENDING, IMAGE_ENDINGS, SEGMENTATION_ENDINGS
from ..figure import PICTURE_ENDINGS
from ..folder_run import BatchReport, tried
from ..lungs import METHODS
from ..volume import read_volume
from .inputs import Input, find_inputs, open_model
from .targets import Targets, refuse_replacing
from .terminal import number, print_table, progress_bar, threshold

if TYPE_CHECKING:
    from ..model import Model

DESCRIPTION = """\
Find the lesions in chest CTs: NIfTI, NRRD, MetaImage, DICOM folders, or folders
of them. A CT that cannot be used is reported, and the others go on. A CT whose
result is there already is left out, for a person may have corrected it: a batch
that was broken off goes on where it was, and so does its report. Exit status: 0
done, 1 some not done, 2 nothing done. Research only, not for diagnosis."""

EXAMPLES = """\
With several CTs, --figure, --probability and --lungs name folders too; each is
a file if its ending says so.

examples:
  gasnet segment patient.nii.gz -o lesions.seg.nrrd --report lesions.json
  gasnet segment folder_of_cts -o results --report results.csv --figure results"""


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add ``segment`` to the command line."""
    parser = subparsers.add_parser(
        "segment",
        help="find the lesions in CTs",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="CT, DICOM folder or folder of CTs"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help=f"file for one CT ({', '.join(SEGMENTATION_ENDINGS)}; .dcm is DICOM SEG and needs DICOM input), "
        "folder for several",
    )
    parser.add_argument(
        "--format", choices=SEGMENTATION_ENDINGS, default=".seg.nrrd", help="of the files in a folder"
    )
    parser.add_argument("--model", type=Path, metavar="M", help="model package (default: the starter model)")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="default: a GPU that works, else CPU"
    )
    parser.add_argument(
        "--threshold",
        type=threshold,
        metavar="T",
        help="a voxel is lesion above this probability, between 0 and 1 (default: the model's)",
    )
    parser.add_argument(
        "--lungs-method",
        choices=METHODS,
        default=METHODS[0],
        help="how lungs are found (default: %(default)s; classical: the same without its network; lungmask"
        " needs its package and weights)",
    )
    parser.add_argument("--report", type=Path, metavar="R", help="measurements of all cases, .json or .csv")
    parser.add_argument("--figure", type=Path, metavar="F", help=f"picture ({', '.join(PICTURE_ENDINGS)})")
    parser.add_argument(
        "--probability", type=Path, metavar="P", help=f"probability image ({', '.join(IMAGE_ENDINGS)})"
    )
    parser.add_argument(
        "--lungs", type=Path, metavar="L", help=f"lung labels, 1 right, 2 left ({', '.join(IMAGE_ENDINGS)})"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace results and the report of an earlier run"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Segment all inputs; 1 if some of them failed, 2 if nothing was done."""
    targets = Targets.of(
        arguments.output,
        arguments.format,
        arguments.probability,
        arguments.lungs,
        arguments.figure,
        arguments.report,
    )
    cases, failures = find_inputs(arguments.inputs, targets.folders())
    targets.check(cases)
    report = _report(targets, arguments.overwrite)
    model, device = open_model(arguments.model, arguments.device) if cases else (None, None)
    rows = [_noted({"case": failure.name, "error": failure.why}, report) for failure in failures]
    for position, case in enumerate(cases, 1):
        count = f"{position}/{len(cases)} "
        work = partial(_segment_case, case, model, device, arguments, targets, count)
        row = tried(case.name, work, traceback.print_exception if arguments.traceback else None)
        rows.append(_noted(row, report))
    return _conclude(rows, targets)


def _report(targets: Targets, overwrite: bool) -> BatchReport | None:
    if targets.report is None:
        return None
    if targets.output.is_file and not overwrite:
        refuse_replacing([targets.report])  # which is of that one CT
    return BatchReport(targets.report, overwrite, single=targets.output.is_file)


def _noted(row: dict, report: BatchReport | None) -> dict:
    """The row of a case in the report; an error instead, where that cannot be written. Errors are told."""
    noted = tried(row["case"], partial(report.put, row)) if report else row
    for told in (row, noted) if noted is not row else (row,):
        if "error" in told:
            print(f"{told['case']}: {told['error']}", file=sys.stderr)
    return noted


def _conclude(rows: list[dict], targets: Targets) -> int:
    """Print the table and where the files are; the exit status."""
    done = [row for row in rows if "error" not in row]
    failed = len(rows) - len(done)
    if done:
        _print_reports(done)
        places = [destination.path for destination in targets.destinations()]
        places += [targets.report] if targets.report else []
        print(f"Written: {', '.join(map(str, dict.fromkeys(places)))}")
    if failed and len(rows) > 1:
        print(f"{failed} of {len(rows)} were not segmented; the reasons stand above.", file=sys.stderr)
    if not done:
        return 2
    return 1 if failed else 0


def _segment_case(
    case: Input, model: Model, device: str, arguments: argparse.Namespace, targets: Targets, count: str
) -> dict:
    from ..export import write_lungs, write_probability, write_segmentation
    from ..quantify import report
    from ..segment import segment

    if not arguments.overwrite:
        refuse_replacing(targets.files_of(case))
    with progress_bar() as progress:
        progress(f"{count}{case.name}: Reading", 0.0)
        volume = read_volume(case.path)
        result = segment(
            volume,
            model,
            device=device,
            threshold=arguments.threshold,
            lungs_method=arguments.lungs_method,
            progress=lambda stage, share: progress(f"{count}{case.name}: {stage}", share * 0.9),
        )
        progress(f"{count}{case.name}: Writing", 0.9)
        target = targets.output.of(case)
        is_dicom = target.name.lower().endswith(DICOM_ENDING)
        write_segmentation(target, result, dicom_folder=case.path if is_dicom else None)
        if targets.probability:
            write_probability(targets.probability.of(case), result)
        if targets.lungs:
            write_lungs(targets.lungs.of(case), result)
        if targets.figure:
            from ..figure import case_figure

            case_figure(result, targets.figure.of(case), case.name)
    return report(result, case.name)


def _print_reports(reports: list[dict]) -> None:
    columns = ["Case", "Lesion ml", "Lung ml", "% of lung", "Right %", "Left %", "Mean HU", "Foci", "Seconds"]
    rows = [
        [
            report["case"],
            number(report["lesion_ml"]),
            number(report["lung_ml"], 0),
            number(report["lesion_percent"]),
            number(report["right"]["lesion_percent"]),
            number(report["left"]["lesion_percent"]),
            number(report["hu"]["mean"], 0),
            str(report["components"]),
            number(sum(report["seconds"].values())),
        ]
        for report in reports
    ]
    print_table("Lesions", columns, rows)
    for report in reports:
        for note in report["notes"]:
            print(f"{report['case']}: {note}")
