"""Where the results of ``gasnet segment`` go: all paths are known and checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..export import DICOM_ENDING, IMAGE_ENDINGS, SEGMENTATION_ENDINGS
from ..figure import PICTURE_ENDINGS
from ..quantify import REPORT_ENDINGS
from .inputs import Input


@dataclass(frozen=True)
class Destination:
    """The path an option gives: a file for one CT where it has one of the endings, a folder otherwise.

    Attributes:
        option: its name. path: what was given. endings: of the files that can be written.
        in_folder: how the name of a file in the folder goes on after the name of the case.
    """

    option: str
    path: Path
    endings: tuple[str, ...]
    in_folder: str

    @property
    def is_file(self) -> bool:
        """The ending of the path decides, unless a folder of that name is there."""
        return not self.path.is_dir() and self.path.name.lower().endswith(self.endings)

    def of(self, case: Input) -> Path:
        """The file for a case."""
        return self.path if self.is_file else self.path / f"{case.name}{self.in_folder}"

    def check(self, cases: int) -> None:
        """Raises InputError: an ending of no known format, or several CTs for one file."""
        if self.is_file and cases > 1:
            raise InputError(
                f"{cases} CTs do not fit into one file {self.path.name}.",
                f"Give a folder with {self.option}.",
            )
        unknown = self.path.suffix or self.path.is_file()
        if not self.is_file and not self.path.is_dir() and unknown:
            raise InputError(
                f"{self.option} {self.path.name} has no known ending and is no folder.",
                f"Use one of {', '.join(self.endings)}, or make the folder first.",
            )


@dataclass(frozen=True)
class Targets:
    """Where each result goes; None where it was not asked for."""

    output: Destination
    probability: Destination | None
    lungs: Destination | None
    figure: Destination | None
    report: Path | None

    @classmethod
    def of(
        cls,
        output: Path,
        ending: str,
        probability: Path | None = None,
        lungs: Path | None = None,
        figure: Path | None = None,
        report: Path | None = None,
    ) -> Targets:
        """The targets that the options name; ``ending`` is of the segmentations in a folder."""

        def destination(
            option: str, path: Path | None, endings: tuple[str, ...], in_folder: str
        ) -> Destination | None:
            return None if path is None else Destination(option, path, endings, in_folder)

        return cls(
            Destination("-o", output, SEGMENTATION_ENDINGS, ending),
            destination("--probability", probability, IMAGE_ENDINGS, "_probability.nrrd"),
            destination("--lungs", lungs, IMAGE_ENDINGS, "_lungs.nrrd"),
            destination("--figure", figure, PICTURE_ENDINGS, ".png"),
            report,
        )

    def destinations(self) -> list[Destination]:
        """All that were asked for, without the report."""
        every = (self.output, self.probability, self.lungs, self.figure)
        return [destination for destination in every if destination is not None]

    def files_of(self, case: Input) -> list[Path]:
        """Those that a case gets."""
        return [destination.of(case) for destination in self.destinations()]

    def folders(self) -> list[Path]:
        """The folders that results go to."""
        return [destination.path for destination in self.destinations() if not destination.is_file]

    def check(self, cases: list[Input]) -> None:
        """Refuse what could not be written, or would overwrite an input or another result of this run.

        Raises:
            InputError: see there.
        """
        for destination in self.destinations():
            destination.check(len(cases))
        if self.report and self.report.suffix.lower() not in REPORT_ENDINGS:
            raise InputError(
                f"--report {self.report.name} has no known ending.", f"Use {' or '.join(REPORT_ENDINGS)}."
            )
        self._check_dicom(cases)
        targets = [path for case in cases for path in self.files_of(case)]
        _refuse_overwriting([*targets, self.report] if self.report else targets, cases)

    def _check_dicom(self, cases: list[Input]) -> None:
        other = [case.name for case in cases if not case.is_dicom and case.path.exists()]
        named = self.output.path.name if self.output.is_file else self.output.in_folder
        if other and named.lower().endswith(DICOM_ENDING):
            raise InputError(
                f"DICOM SEG needs DICOM input, which {', '.join(other)} is not.",
                f"Use one of {', '.join(SEGMENTATION_ENDINGS[:-1])}.",
            )


def refuse_replacing(paths: list[Path]) -> None:
    """Keep the results of an earlier run: a person may have corrected them.

    Raises:
        InputError: one is there.
    """
    for path in paths:
        if path.exists():
            raise InputError(f"{path} is there already and stays.", "--overwrite replaces it.")


def _refuse_overwriting(targets: list[Path], cases: list[Input]) -> None:
    files = {_key(case.path) for case in cases}
    series = [case.path for case in cases if case.is_dicom]
    folders = {_key(path if path.is_dir() else path.parent) for path in series}
    seen = set()
    for target in targets:
        key = _key(target)
        if key in files or any(parent in folders for parent in key.parents):
            raise InputError(
                f"{target} is a CT itself, or lies among its DICOM files, and would be overwritten.",
                "Choose another output.",
            )
        if key in seen:
            raise InputError(f"Two results would be written to {target}.", "Choose different outputs.")
        seen.add(key)


def _key(path: Path) -> Path:
    """The same for all spellings of a path, also where the disk knows no upper and lower case."""
    return Path(str(path.resolve()).casefold())
