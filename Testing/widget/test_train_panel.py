"""The training panel clicked through in the test host, with real worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from train_samples import write_tiny_cohort

SECONDS = 300


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The files of a tiny cohort."""
    return write_tiny_cohort(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def panel(host, load_module):
    """The panel, shown."""
    repository = Path(__file__).resolve().parents[2]
    host.load_module(repository / "GASNetSegment" / "GASNetSegment.py")
    return load_module("GASNetTrain")


def test_empty_panel_says_what_is_missing(panel):
    assert "At least one labelled case" in panel.ui.cohortLabel.text
    assert not panel.ui.trainButton.enabled
    assert not panel.ui.watchFrame.visible
    assert not panel.ui.problemFrame.visible
    assert panel.ui.advancedGroup.collapsed
