"""The warm worker through its client, with real processes: results, cancel, crash, a parent that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import GASNetLib  # noqa: E402
from GASNetLib.errors import ResourceError  # noqa: E402
from GASNetLib.phantom import write_phantom  # noqa: E402
from GASNetLib.worker import Worker  # noqa: E402
from GASNetSegmentLib.ct_nodes import image_hash  # noqa: E402
from GASNetSegmentLib.interpreter import python_executable, worker_environment  # noqa: E402
from GASNetSegmentLib.worker_client import Request, WorkerClient  # noqa: E402
from scene_samples import add_ct  # noqa: E402

ENGINE = Path(GASNetLib.__file__).parents[1]
PYTHON = python_executable(slicer.app.slicerHome if hasattr(slicer, "app") else "")
SECONDS = 300


class Answers:
    """What came back for one request."""

    def __init__(self) -> None:
        self.stages, self.shares, self.arrays, self.answer, self.error = [], [], {}, None, None
        self.details, self.was_cancelled = "", False

    @property
    def request(self) -> Request:
        return Request(self._done, self._failed, self._cancelled, self._progress)

    @property
    def finished(self) -> bool:
        return self.answer is not None or self.error is not None or self.was_cancelled

    def _done(self, answer, read) -> None:
        self.answer = answer
        self.arrays = {key: read(answer[key]) for key in ("evidence",) if key in answer}

    def _failed(self, error, details) -> None:
        self.error, self.details = error, details

    def _cancelled(self) -> None:
        self.was_cancelled = True

    def _progress(self, stage, share) -> None:
        self.stages.append(stage)
        self.shares.append(share)


def wait(client: WorkerClient, condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        client.poll()
        assert time.monotonic() < end, "the worker did not answer"
        time.sleep(0.02)


@pytest.fixture
def client(tmp_path):
    environment = {**worker_environment(ENGINE), "OMP_NUM_THREADS": "1"}
    client = WorkerClient(PYTHON, environment, tmp_path)
    yield client
    client.close()


def ask_to_segment(client, answers, phantom, model_file, hu=None, threshold=0.5) -> int:
    return client.ask(
        answers.request,
        "segment",
        phantom.hu if hu is None else hu,
        geometry=phantom.geometry,
        name="Müller's CT",
        model=model_file,
        device="cpu",
        threshold=threshold,
        lungs_method="network",
    )


def test_two_requests_and_a_refusal_in_one_process(scene, client, phantom, model_file, tmp_path):
    from GASNetLib.evidence import lesions_above
    from GASNetLib.model import load_model
    from GASNetLib.segment import segment
    from GASNetLib.volume import volume_from_array

    assert client.pid is None  # started only when it is needed
    first, second, refused = Answers(), Answers(), Answers()
    ask_to_segment(client, first, phantom, model_file)
    ask_to_segment(client, refused, phantom, model_file, hu=np.full_like(phantom.hu, 3))
    wait(client, lambda: first.finished and refused.finished)
    pid = client.pid
    ask_to_segment(client, second, phantom, model_file, threshold=0.52)
    wait(client, lambda: second.finished)

    assert second.error is None, second.details
    expected = segment(
        volume_from_array(phantom.hu, phantom.geometry), load_model(model_file), threshold=0.52
    )
    assert np.array_equal(lesions_above(second.arrays["evidence"], 0.52), expected.lesions)
    assert second.answer["provenance"]["threshold"] == 0.52
    assert second.answer["provenance"]["image_sha256"] == image_hash(add_ct(phantom))
    beyond = second.arrays["evidence"].copy()
    beyond[tuple(slice(*ends) for ends in second.answer["box"])] = 0
    assert not beyond.any()
    assert first.stages[0] == "Loading the model" and "Loading the model" not in second.stages
    assert first.shares == sorted(first.shares)
    assert "same value" in refused.error.cause or "value" in refused.error.cause
    assert client.pid == pid and not client.busy
    left = {path.suffix for path in next(tmp_path.glob("gasnet-worker-*")).iterdir()}
    assert ".npy" not in left  # the big files are gone as soon as they are used


def test_cancelled_request(client, phantom, model_file):
    answers, after = Answers(), Answers()
    number = ask_to_segment(client, answers, phantom, model_file)
    client.cancel(number)
    wait(client, lambda: answers.finished)
    ask_to_segment(client, after, phantom, model_file)
    wait(client, lambda: after.finished)

    assert answers.was_cancelled and answers.answer is None
    assert after.answer is not None


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_worker_is_told_in_plain_words_and_replaced(client, phantom, model_file, tmp_path):
    lost, after = Answers(), Answers()
    ask_to_segment(client, lost, phantom, model_file)
    wait(client, lambda: lost.stages)
    os.kill(client.pid, signal.SIGKILL)
    wait(client, lambda: lost.finished)

    assert "memory" in lost.error.cause and lost.error.advice
    assert client.pid is None and not list(tmp_path.glob("gasnet-worker-*"))

    ask_to_segment(client, after, phantom, model_file)
    wait(client, lambda: after.finished)
    assert after.answer is not None


def test_closing_leaves_nothing(client, phantom, model_file, tmp_path):
    answers = Answers()
    ask_to_segment(client, answers, phantom, model_file)
    wait(client, lambda: answers.stages)
    pid = client.pid

    client.close()

    assert not psutil.pid_exists(pid)
    assert not list(tmp_path.glob("gasnet-worker-*"))
    assert not answers.finished


PARENT = """
import sys, time
from pathlib import Path
from GASNetSegmentLib.interpreter import worker_environment
from GASNetSegmentLib.worker_client import WorkerClient
client = WorkerClient(sys.executable, worker_environment(Path(sys.argv[1])), Path(sys.argv[2]))
client._ensure_running()
print(client.pid, flush=True)
time.sleep(600)
"""


def test_worker_ends_when_its_parent_is_killed(tmp_path):
    environment = worker_environment(ENGINE)
    command = [PYTHON, "-c", PARENT, str(ENGINE), str(tmp_path)]
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    worker = psutil.Process(pid)

    parent.kill()
    parent.communicate()

    psutil.wait_procs([worker], timeout=SECONDS)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert not list(tmp_path.glob("gasnet-worker-*"))  # a patient's CT may lie in it


def test_file_is_segmented_into_a_folder(client, phantom, model_file, tmp_path):
    ct = write_phantom(phantom, tmp_path / "Ä b" / "one.nii.gz")
    answers = Answers()
    client.ask(
        answers.request,
        "segment_file",
        ct=tmp_path / "Ä b" / "one.nii.gz",
        output=tmp_path / "out put",
        name="one",
        overwrite=False,
        model=model_file,
        device="cpu",
        threshold=None,
        lungs_method="network",
    )
    wait(client, lambda: answers.finished)

    assert answers.error is None and answers.answer["report"]["case"] == "one", ct
    assert (tmp_path / "out put" / "one.seg.nrrd").is_file()


def test_check_of_this_computer(client, model_file):
    answers = Answers()
    options = {"device": "cpu", "threshold": None, "lungs_method": "network"}
    client.ask(answers.request, "check", model=model_file, **options)
    wait(client, lambda: answers.finished)

    assert answers.answer["device"] == "cpu" and answers.answer["seconds"] > 0
    assert "PyTorch" in answers.answer["versions"]


def test_half_installed_torch_is_named(tmp_path, phantom, model_file):
    broken = tmp_path / "broken" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('DLL load failed', name='torch')")
    environment = worker_environment(ENGINE)
    environment["PYTHONPATH"] = os.pathsep.join([str(broken.parent), environment["PYTHONPATH"]])
    client, answers = WorkerClient(PYTHON, environment, tmp_path), Answers()
    try:
        ask_to_segment(client, answers, phantom, model_file)
        wait(client, lambda: answers.finished)
    finally:
        client.close()

    assert "torch" in answers.error.cause and "half installed" in answers.error.cause
    assert "Install" in answers.error.advice and "DLL load failed" in answers.details


def test_worker_ends_when_nothing_is_asked_of_it(tmp_path):
    Worker(tmp_path, lambda: True, idle_s=0.1).run()

    assert '"ready"' in (tmp_path / "events.jsonl").read_text()


def test_program_that_cannot_be_started_is_told(tmp_path, phantom, model_file):
    client = WorkerClient(str(tmp_path / "no python"), dict(os.environ), tmp_path)

    with pytest.raises(ResourceError, match="cannot be started"):
        ask_to_segment(client, Answers(), phantom, model_file)

    assert not list(tmp_path.glob("gasnet-worker-*"))


def test_interpreter_of_slicer_is_the_real_one(tmp_path, monkeypatch):
    ending = ".exe" if os.name == "nt" else ""
    home, launcher = tmp_path / "home", tmp_path / f"PythonSlicer{ending}"
    launcher.touch(mode=0o755)
    assert python_executable() == sys.executable

    monkeypatch.setattr(sys, "executable", "")  # what Slicer has without its launcher
    embedded = python_executable(str(home))
    version = [embedded, "-c", "import sys; print(sys.version)"]
    assert subprocess.run(version, capture_output=True, text=True).stdout.strip() == sys.version

    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))  # a Python without a program of its own
    monkeypatch.setenv("PATH", str(tmp_path))
    assert python_executable(str(home)) == str(launcher)
    real = home / "bin" / f"python-real{ending}"
    real.parent.mkdir(parents=True)
    real.touch()
    assert python_executable(str(home)) == str(real)


def test_slicer_without_any_python_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ResourceError, match="Python"):
        python_executable(str(tmp_path))


def test_worker_finds_packages_where_this_process_finds_them(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("print('found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    command = [PYTHON, "-c", "import only_here, GASNetLib"]

    done = subprocess.run(command, env=worker_environment(ENGINE), capture_output=True, text=True, cwd="/")

    assert done.stdout.strip() == "found", done.stderr
