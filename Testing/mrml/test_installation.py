"""Installing what the engine needs, by the real pip, from wheel files made here, into a bare Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import GASNetLib
from GASNetSegmentLib.installation import missing, probe_torch

NEEDED = ("torch", "safetensors", "psutil")
SOURCES = Path(GASNetLib.__file__).parents[1]
FOUND = """
import json
from GASNetSegmentLib import installation
print(json.dumps({package.name: package.problem for package in installation.missing()}))
"""
INSTALL = """
import subprocess, sys
from pathlib import Path
from GASNetSegmentLib import installation
def pip(command):
    return lambda what: subprocess.run([*{pip!r}, command, *what], check=True)
names, wheels = {names!r}, Path({wheels!r})
installation.remove_broken(lambda what: pip("uninstall")(["--yes", *what]), names)
installation.install(pip("install"), names, wheels)
"""


def write_wheel(folder: Path, name: str) -> None:
    """A package of one file, as small as pip takes it."""
    info = f"{name}-9.0.dist-info"
    content = {
        f"{name}/__init__.py": "zeros = lambda size: size\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-9.0-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            wheel.writestr(path, text)


class BarePython:
    """A Python that has nothing of what the engine needs, and a folder of wheels with all of it."""

    def __init__(self, folder: Path) -> None:
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        for name in NEEDED:
            write_wheel(self.wheels, name)
        venv.create(folder / "bare", symlinks=sys.platform != "win32")
        self.executable = str(folder / "bare" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        self.environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
        self.packages = Path(self._run("import sysconfig; print(sysconfig.get_path('purelib'))").strip())

    def missing(self) -> dict[str, str]:
        """What is missing, and why."""
        return json.loads(self._run(FOUND))

    def install(self, *names: str, wheels: Path | None = None) -> None:
        """As the panel does it."""
        pip = [sys.executable, "-m", "pip", "--python", self.executable, "--quiet"]
        self._run(INSTALL.format(pip=pip, names=names, wheels=str(wheels or self.wheels)))

    def probe(self) -> str:
        """Why torch cannot be loaded, if so."""
        return probe_torch(self.executable, self.environment)

    def _run(self, code: str) -> str:
        command = [self.executable, "-c", code]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout


@pytest.fixture
def python(tmp_path) -> BarePython:
    return BarePython(tmp_path)


@pytest.fixture
def complete(python) -> BarePython:
    python.install(*NEEDED)
    return python


def test_all_is_installed_from_a_folder(python):
    assert python.missing() == dict.fromkeys(NEEDED, "missing")
    assert "No module named 'torch'" in python.probe()

    python.install(*NEEDED)

    assert python.missing() == {} and python.probe() == ""


def test_interrupted_installation_is_seen_and_completed(complete):
    """An interrupted pip leaves files that it knows nothing of."""
    (info,) = complete.packages.glob("torch-*.dist-info")
    shutil.rmtree(info)
    assert complete.missing() == {"torch": "half installed"}

    complete.install("torch")

    assert complete.missing() == {} and complete.probe() == ""


def test_lost_files_are_seen_and_brought_back(complete):
    """What pip believes to be there, though its files are gone."""
    shutil.rmtree(complete.packages / "torch")
    assert complete.missing() == {"torch": "missing"}

    complete.install("torch")

    assert complete.missing() == {} and complete.probe() == ""


def test_damaged_torch_is_told_by_a_try_alone_and_replaced(complete):
    (complete.packages / "torch" / "__init__.py").write_text("raise ImportError('a library is missing')")
    assert complete.missing() == {}
    assert "a library is missing" in complete.probe()

    complete.install("torch")

    assert complete.probe() == ""


def test_folder_without_the_wheels_is_named(python, tmp_path):
    with pytest.raises(RuntimeError, match=r"psutil could not be installed from .*Check the network"):
        python.install("psutil", wheels=tmp_path)


def test_known_to_be_broken_is_missing_too():
    assert [package.name for package in missing(unloadable=["torch"])] == ["torch"]
    assert not missing()
