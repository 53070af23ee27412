"""What is kept from one Slicer session to the next; all belongs to this computer, so nothing is in the
scene."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer

MODEL_FOLDER, CASE_FOLDER = "GASNet/ModelFolder", "GASNet/CaseFolder"
DEVICE, LUNGS_METHOD = "GASNet/Device", "GASNet/LungsMethod"


def model_folder() -> Path:
    """Where models are deployed to, beside the starter."""
    return _folder(MODEL_FOLDER, "Models")


def case_folder() -> Path:
    """Where labelled samples are kept."""
    return _folder(CASE_FOLDER, "Cases")


def value(key: str, default: str) -> str:
    """A setting, or its default."""
    return str(qt.QSettings().value(key, default))


def keep(key: str, new: str) -> None:
    """Remember a setting."""
    qt.QSettings().setValue(key, str(new))


def _folder(key: str, name: str) -> Path:
    # Outside of Slicer's own folders: an update or an uninstallation must not take a person's work along.
    home = Path(slicer.app.slicerUserSettingsFilePath).parent
    return Path(value(key, str(home / "GASNet" / name)))
