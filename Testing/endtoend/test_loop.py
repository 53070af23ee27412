"""The whole loop on synthetic CTs: segment, correct, train, kill, resume, compare, deploy, segment again."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the test host needs PySide6-Essentials")
pytest.importorskip("slicer_core", reason="the test host needs slicer-core")

from GASNetLib.model_store import ModelStore
from GASNetLib.phantom import make_phantom
from GASNetSegmentLib.result import Result
from GASNetSegmentLib.scene_logic import SceneLogic
from GASNetTrainLib.processes import Interpreter, environment
from GASNetTrainLib.train_logic import TrainLogic
from host.session import Host
from scene_samples import add_ct, write_tiny_model
from train_samples import LONG, SHAPE, write_tiny_cohort

SECONDS = 300
CHANGES = {**LONG, "iterations": 12, "val_every": 6, "preview_every": 12}


@pytest.fixture
def host():
    """A Slicer without a main window."""
    host = Host(with_main_window=False)
    yield host
    assert host.close() == []


class Settings(dict):
    """Kept values, as QSettings keeps them."""

    def value(self, key, default=None):
        return self.get(key, default)

    def setValue(self, key, value):
        self[key] = value


def until(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_from_one_corrected_case_to_a_deployed_network(host, tmp_path):
    models = ModelStore(tmp_path / "models")
    starter = models.deploy(write_tiny_model(tmp_path / "tiny.safetensors"))
    segment = SceneLogic(models, tmp_path / "cases")
    python = Interpreter(sys.executable, {**environment(), "OMP_NUM_THREADS": "1"})
    train = TrainLogic(models, tmp_path / "cases", tmp_path / "runs", Settings(), python)

    # Segment a CT, correct the result, keep it as the labelled sample.
    phantom = make_phantom(seed=7, shape=SHAPE, lesions="moderate")
    ct = add_ct(phantom)
    node = segment.segment(ct)
    Result.of(node).set_lesions(phantom.lesions)
    assert segment.changes(node).any
    segment.saveLabelledSample(node)

    # The cohort: that sample, and three other CTs.
    others = write_tiny_cohort(tmp_path / "others")
    cohort = train.newCohort(others.table)
    cohort.remove(["labelled"])
    assert cohort.add_samples(tmp_path / "cases") == 1
    rows = train.checkCohort(cohort, jobs=0)
    assert all(row.status != "refused" for row in rows), rows
    assert cohort.lacking() == {"diseased": 4, "healthy": 4}  # of which a person is told, no more

    # Train in a process of its own; kill it; resume it.
    run = train.startTraining(cohort, tmp_path / "runs" / "mine", "smoke", device="cpu", changes=CHANGES)
    until(lambda: run.state().iteration >= 3, f"events arrive: {run.log()}")
    os.kill(run.folder.process().pid, signal.SIGKILL)
    until(lambda: run.state().state == "interrupted", "its end is noticed")
    seen = [event["losses"] for event in run.events() if event["kind"] == "iteration"]
    run.resume()
    assert run.wait(SECONDS).state == "done", run.log()
    again = [event["losses"] for event in run.events() if event["kind"] == "iteration"]
    assert len(again) == CHANGES["iterations"] and again[: len(seen)] == seen

    # Compare with the model in use, deploy, and segment with the new one.
    found = train.compareModels([starter, run.folder.best_model], run.folder.cohort_file, "cpu")
    assert found.models == ("tiny", "mine") and found.cases == ("validation",)
    train.deployModel(run.folder.best_model)
    fresh = segment.segment(ct)
    assert Result.of(fresh).provenance["model"] == "mine"
    assert Result.of(node).provenance["model"] == "tiny"
    assert np.array_equal(Result.of(node).lesions, phantom.lesions)  # the correction is as it was
