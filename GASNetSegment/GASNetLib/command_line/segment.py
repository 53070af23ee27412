"""``gasnet segment``: one CT, many, or a folder tree of them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..cohort_tree import IMAGE_ENDINGS, find_cases
from ..device import DEVICES
from ..dicom_series import is_dicom_file
from ..errors import Cancelled, GASNetError, InputError, ModelError
from ..files import SEGMENTATION_ENDINGS
from ..lungs import METHODS
from ..model import load_model, starter_model_path
from ..volume import case_name, read_volume
from .terminal import number, print_table, progress_bar, threshold

if TYPE_CHECKING:
    from ..model import Model



@dataclass(frozen=True)
class Input:
    """A CT to segment and the name its results get."""

    name: str
    path: Path


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add ``segment`` to the command line."""
    parser = subparsers.add_parser(
        "segment",
        help="find the lesions in CTs",
        description="Find the lesions in chest CTs: NIfTI, NRRD, MetaImage, DICOM folders, or folders of "
        "them. A CT that cannot be used is reported, and the others go on; the exit status is then 1.",
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
        "--threshold", type=threshold, metavar="T", help="probability of a lesion (default: the model's)"
    )
    parser.add_argument("--lungs-method", choices=METHODS, default="classical", help="how lungs are found")
    parser.add_argument("--report", type=Path, metavar="R", help="figures of all cases, .json or .csv")
    parser.add_argument("--figure", type=Path, metavar="F.png", help="picture of the result")
    parser.add_argument("--probability", type=Path, metavar="P", help="probability image (.nrrd, .nii.gz)")
    parser.add_argument("--lungs", type=Path, metavar="L", help="lung labels, 1 right, 2 left")
    parser.epilog = "With several CTs, --figure, --probability and --lungs name folders too."
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Segment all inputs; 1 if some of them failed, 2 if all did."""
    from ..quantify import write_report

    cases = _cases(arguments.inputs, arguments.output)
    single = len(cases) == 1 and _ending(arguments.output) is not None
    if not single and _ending(arguments.output) is not None:
        raise InputError(
            f"{len(cases)} CTs do not fit into one file {arguments.output.name}.", "Give a folder with -o."
        )
    model = load_model(_model_path(arguments.model))
    reports, failed = [], 0
    for position, case in enumerate(cases, 1):
        try:
            reports.append(_segment_case(case, model, arguments, single, f"{position}/{len(cases)} "))
        except Cancelled:
            raise
        except GASNetError as error:
            failed += 1
            print(f"{case.name}: {error}", file=sys.stderr)
        if arguments.report and reports:  # after each case: a batch that is cut off loses nothing
            write_report(arguments.report, reports[0] if single else reports)
    if reports:
        _print_reports(reports)
    if failed and len(cases) > 1:
        print(
            f"{failed} of {len(cases)} CTs could not be segmented; the reasons stand above.", file=sys.stderr
        )
    return (2 if not reports else 1) if failed else 0


def _segment_case(case: Input, model: Model, arguments: argparse.Namespace, single: bool, count: str) -> dict:
    from ..files import write_lungs, write_probability, write_segmentation
    from ..quantify import report
    from ..segment import segment

    with progress_bar() as progress:
        progress(f"{count}{case.name}: Reading", 0.0)
        volume = read_volume(case.path)
        result = segment(
            volume,
            model,
            device=arguments.device,
            threshold=arguments.threshold,
            lungs_method=arguments.lungs_method,
            progress=lambda stage, share: progress(f"{count}{case.name}: {stage}", share * 0.9),
        )
        progress(f"{count}{case.name}: Writing", 0.9)
        target = _target(arguments.output, case, single, arguments.format)
        write_segmentation(target, result, dicom_folder=case.path if target.suffix == ".dcm" else None)
        if arguments.probability:
            write_probability(_target(arguments.probability, case, single, ".nrrd"), result)
        if arguments.lungs:
            write_lungs(_target(arguments.lungs, case, single, ".nrrd"), result)
        if arguments.figure:
            from ..figure import case_figure

            case_figure(result, _target(arguments.figure, case, single, ".png"), case.name)
    return report(result, case.name)


def _cases(inputs: list[Path], output: Path) -> list[Input]:
    """All CTs that the inputs name.

    Raises:
        InputError: an input does not exist or holds no CT, or two cases would get the same name.
    """
    cases = [case for path in inputs for case in _cases_of(path)]
    names = [case.name for case in cases]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            f"Several inputs are called {', '.join(doubled)}, so their results would overwrite each other.",
            "Run them one after the other, into different folders.",
        )
    if any(case.path.resolve() == output.resolve() for case in cases):
        raise InputError(f"{output} is the CT itself and would be overwritten.", "Choose another output.")
    # Results of an earlier run that lie in a folder inside the input are no CTs.
    inside = any(folder.resolve() in output.resolve().parents for folder in inputs)
    return [case for case in cases if not (inside and case.path.resolve().is_relative_to(output.resolve()))]


def _cases_of(path: Path) -> list[Input]:
    if not path.is_dir():
        return [Input(case_name(path), path)]
    if any(_holds_dicom(file) for file in path.iterdir() if file.is_file()):
        return [Input(path.resolve().name, path)]
    found, _ = find_cases(path)
    if not found:
        raise InputError(f"The folder {path} holds no CT.", "Choose a folder of CTs or of DICOM folders.")
    return [Input(case.name, case.ct) for case in found]


def _holds_dicom(file: Path) -> bool:
    return not file.name.lower().endswith(IMAGE_ENDINGS) and is_dicom_file(file)


def _ending(path: Path) -> str | None:
    return next((ending for ending in SEGMENTATION_ENDINGS if path.name.lower().endswith(ending)), None)


def _target(path: Path, case: Input, single: bool, ending: str) -> Path:
    """The file itself for one case; a file in the folder for several. Folders are made."""
    target = path if single else path / f"{case.name}{ending}"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _model_path(given: Path | None) -> Path:
    path = given or starter_model_path()
    if path is None:
        raise ModelError("The starter model is not installed.", "Name a model package with --model.")
    return path


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
