"""``gasnet cohort check`` and ``gasnet cohort cache``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..cohort import ROLES, Cohort, CohortError, read_cohort, write_cohort
from ..cohort.checks import CaseReport, accepted_cases, check_cohort
from ..cohort.crop_cache import open_crops
from .terminal import progress_bar


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add ``cohort`` with its two commands to the command line."""
    cohort = subparsers.add_parser(
        "cohort",
        help="check the cases of a training, prepare them",
        description="Check the cases of a training before it starts, and prepare them.",
    )
    commands = cohort.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="read every case and say which cannot be used, and why",
        description="Read every case and say which cannot be used, and why. The exit code is 1 if a case is "
        "refused, and 0 otherwise.",
    )
    _add_cohort(check)
    check.add_argument("-o", "--output", type=Path, metavar="CSV", help="write the table of the usable cases")
    check.add_argument("--cache", type=Path, metavar="DIR", help="keep the prepared cases for the training")
    check.set_defaults(run=run_check)
    cache = commands.add_parser(
        "cache",
        help="prepare all cases for the training, in parallel",
        description="Read every case, find its lungs and keep the crop that the network sees, so that "
        "trainings with the same --cache begin at once. What is there already is not made again.",
    )
    _add_cohort(cache)
    cache.add_argument(
        "--cache", type=Path, metavar="DIR", required=True, help="folder for them (2 MB a case)"
    )
    cache.set_defaults(run=run_cache)


def run_check(arguments: argparse.Namespace) -> int:
    """Check a cohort; 1 if a case is refused."""
    cohort = read_cohort(arguments.cohort)
    with progress_bar() as progress:
        reports = check_cohort(cohort, progress, arguments.jobs, cache_folder=arguments.cache)
    for report in reports:
        _print_problems(report)
    usable = accepted_cases(reports)
    print(f"{len(usable)} of {len(cohort)} cases can be used: {_counts(usable)}.")
    for sentence in usable.still_missing():
        print(sentence)
    if arguments.output is not None:
        _write(usable, arguments.output)
    return 0 if len(usable) == len(cohort) else 1


def run_cache(arguments: argparse.Namespace) -> int:
    """Prepare all cases of a cohort."""
    with progress_bar() as progress:
        crops = open_crops(read_cohort(arguments.cohort), arguments.cache, progress, arguments.jobs)
    print(f"{len(crops)} cases are prepared in {arguments.cache} ({crops.bytes_on_disk / 1e6:.1f} MB).")
    return 0


def _add_cohort(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cohort",
        type=Path,
        metavar="TABLE_OR_FOLDER",
        help=f"CSV with the columns case,ct,mask,role[,patient], or a folder with {', '.join(ROLES)}",
    )
    parser.add_argument(
        "--jobs", type=_count, metavar="N", help="processes (default: as many as cores and memory allow)"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"“{text}” is no number of processes, such as 2")
    return int(text)


def _print_problems(report: CaseReport) -> None:
    for problem in report.problems:
        text = f"{problem.cause} {problem.advice}".strip()
        print(f"{problem.severity}: {report.case.name} ({report.case.role}): {text}")


def _counts(cohort: Cohort) -> str:
    return ", ".join(f"{len(cohort.with_role(role))} {role}" for role in ROLES)


def _write(usable: Cohort, path: Path) -> None:
    if not usable.cases:
        raise CohortError("No case can be used, so there is no table to write.", "See the reasons above.")
    write_cohort(usable, path)
    print(f"Their table is {path}.")
