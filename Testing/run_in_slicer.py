"""The tests of scene and panel inside a real 3D Slicer, whose Python needs pytest and hypothesis for it
(``pip_install("pytest hypothesis")`` in its console):

    Slicer --no-splash --ignore-slicerrc --additional-module-paths GASNetSegment GASNetTrain \\
        --python-script Testing/run_in_slicer.py

It runs the tests of scene and panel in ``Testing/mrml`` and ``Testing/widget``, or a part of them: pytest
takes arguments from the environment, as in ``PYTEST_ADDOPTS="-x -k undo"``. Slicer ends with pytest's exit
status. What only the test host can do is skipped, with the reason.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import slicer

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = (
    "Testing/mrml/test_dicom_export.py",
    "Testing/mrml/test_original_outline.py",
    "Testing/mrml/test_result_in_scene.py",
    "Testing/mrml/test_segment_in_scene.py",
    "Testing/mrml/test_worker.py",
    "Testing/widget/test_segment_panel.py",
    "Testing/widget/test_train_panel.py",
)


def run() -> int:
    """Run pytest; its exit status."""
    import pytest

    os.chdir(REPOSITORY)  # where pyproject.toml says how the tests are imported
    return int(pytest.main(["-p", "no:cacheprovider", *TESTS]))


status = 1
try:
    status = run()
except Exception:
    traceback.print_exc()
slicer.util.exit(status)
