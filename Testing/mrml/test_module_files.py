"""What a build of the extension takes along: each file on disk is listed in its module's CMakeLists.txt."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "GASNetSegment"


def listed(variable: str) -> list[str]:
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    block = re.search(rf"set\({variable}\s(.*?)\)", text, re.DOTALL).group(1)
    return block.replace("${MODULE_NAME}", MODULE.name).split()


@pytest.mark.parametrize(
    ("variable", "patterns"),
    [
        ("MODULE_PYTHON_SCRIPTS", ["*.py"]),
        ("MODULE_PYTHON_RESOURCES", ["Resources/**/*", "*.safetensors"]),
    ],
)
def test_list_equals_the_files_on_disk(variable, patterns):
    paths = [path for pattern in patterns for path in MODULE.rglob(pattern) if path.is_file()]
    files = {path.relative_to(MODULE).as_posix() for path in paths}

    assert sorted(listed(variable)) == sorted(files)


WITHOUT_WORDS = (
    "QWidget",
    "QFrame",
    "QLabel",
    "QProgressBar",
    "qMRMLWidget",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
)
"""What a person does not work with, and sections, which their titles explain."""


@pytest.mark.parametrize("name", ["GASNetSegment", "GASNetTrain"])
def test_everything_that_a_person_works_with_has_a_tooltip(name):
    tree = ElementTree.parse(REPOSITORY / name / "Resources" / "UI" / f"{name}.ui")
    widgets = [w for w in tree.iter("widget") if w.get("class") not in WITHOUT_WORDS]
    assert len(widgets) > 20
    assert [w.get("name") for w in widgets if w.find("property[@name='toolTip']") is None] == []


def test_module_is_discovered_without_the_packages_that_it_installs_later(tmp_path):
    """Slicer imports every module at its start; torch alone would cost seconds."""
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "sys.modules.update(dict.fromkeys(['torch', 'safetensors', 'psutil']))\n"  # as on the first start
        "import GASNetSegmentLib.scene_logic, GASNetSegmentLib.worker_client, GASNetSegmentLib.installation\n"
        "print([name for name in ('torch', 'monai', 'matplotlib', 'psutil') if sys.modules.get(name)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(MODULE)], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip().splitlines()[-1] == "[]"
