"""What can befall a training, done to real processes: what is lost, and what is said."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from GASNetLib.cohort import read_cohort
from GASNetLib.command_line import train as commands
from GASNetLib.model import read_model_info
from GASNetLib.run.checkpoints import checkpoints, latest_checkpoint
from GASNetLib.run.folder import RunFolder, find_runs
from GASNetLib.run.launch import launch
from GASNetLib.run.process import identity_of, write_identity
from GASNetLib.training.preparation import parent_file, prepare_run
from GASNetLib.training.presets import ABLATIONS, preset
from GASNetLib.training.settings import changed
from training.tiny_cohort import ENGINE, tiny_cohort

WORKER = Path(__file__).parent / "tiny_cohort.py"
ITERATIONS = 8
SETTINGS = changed(
    preset("smoke"),
    {"precision": "float32", "iterations": ITERATIONS, "val_every": 4, "preview_every": 100, "theta": 1},
)


YOUNGER = [
    *(("terms", "transplant"), ("terms", "repair"), ("augmentation", "eight_bit")),
    *(("", "transplant_hu"), ("", "result_reach_mm")),
]
"""Settings, with their part, that were added after the first trainings."""


def prepared(path: Path, changes: dict | None = None) -> RunFolder:
    return prepare_run(path, tiny_cohort(), changed(SETTINGS, changes or {}), device="cpu")


def start(run: RunFolder, *launcher: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *launcher, str(WORKER), str(run.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def finish(run: RunFolder, *launcher: str, **environment: str) -> tuple[int, str]:
    process = start(run, *launcher, **environment)
    errors = process.communicate(timeout=300)[1]
    return process.returncode, errors


def losses(run: RunFolder) -> list[dict]:
    return [event["losses"] for event in run.events() if event["kind"] == "iteration"]


def validations(run: RunFolder) -> list[tuple]:
    return [(e["iteration"], e["cases"]) for e in run.events() if e["kind"] == "validation"]


def codes(run: RunFolder) -> list[str]:
    return [event["code"] for event in run.events() if event["kind"] == "warning"]


def wait_for_iteration(run: RunFolder, iteration: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while run.state().iteration < iteration:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> list[dict]:
    run = prepared(tmp_path_factory.mktemp("uninterrupted") / "run")
    assert finish(run)[0] == 0
    assert run.state().state == "done"
    return losses(run)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB of its own; mounting needs the rights of an administrator."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("a file system of its own cannot be mounted here (not an administrator)")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_kill_9_at_a_random_moment_and_a_corrupt_last_checkpoint_cost_nothing_but_time(
    tmp_path, uninterrupted
):
    run = prepared(tmp_path / "run")
    process = start(run)
    wait_for_iteration(run, 3, process)
    time.sleep(random.uniform(0, 0.3))
    process.kill()
    process.wait()
    assert run.state().state == "interrupted"
    latest = checkpoints(run.checkpoints)[-1]
    latest.write_bytes(latest.read_bytes()[:-100])
    assert finish(run)[0] == 0
    assert run.state().state == "done"
    assert losses(run) == uninterrupted
    assert codes(run) == ["checkpoint"]


CREATOR = """
import os, signal, sys
from pathlib import Path
from GASNetLib.model import starter_model_path
from GASNetLib.training.preparation import parent_file, prepare_run
from GASNetLib.training.presets import preset
from training.tiny_cohort import tiny_cohort

def create(folder, number):
    seen = 0
    def kill(event, arguments):
        nonlocal seen
        if event in ("open", "os.mkdir", "os.rename", "os.remove"):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
    cohort, parent = tiny_cohort(), starter_model_path()
    sys.addaudithook(kill)
    prepare_run(folder, cohort, preset("smoke"), device="cpu", parent=parent)

number, ended = 0, 1
while ended:
    number += 1
    child = os.fork()
    if not child:
        create(Path(sys.argv[1]) / f"run-{number}", number)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    assert ended in (0, signal.SIGKILL), ended
print(number)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_creation_killed_at_any_touch_of_a_file_leaves_a_whole_run_or_none(tmp_path, uninterrupted):
    paths = os.pathsep.join(str(path) for path in (ENGINE, WORKER.parents[1]))
    created = subprocess.run(
        [sys.executable, "-c", CREATOR, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert created.returncode == 0, created.stderr
    runs = [RunFolder(tmp_path / f"run-{number + 1}") for number in range(int(created.stdout))]
    whole = {run.path for run in find_runs(tmp_path)}
    for run in runs:
        if run.path in whole:
            assert len(read_cohort(run.cohort_file)) == len(tiny_cohort())
            assert read_model_info(parent_file(run)).sha256 == run.config()["parent"]["sha256"]
    assert runs[-1].path in whole
    rest = [run for run in runs if run.path not in whole and run.path.exists()]
    assert any(run.cohort_file.exists() for run in rest) and any(parent_file(run).exists() for run in rest)
    for run in rest:  # what is asked for now holds, and not what was left
        assert not parent_file(prepared(run.path)).exists()
    assert finish(rest[-1])[0] == 0
    assert losses(rest[-1]) == uninterrupted


def test_a_second_trainer_is_refused_and_a_stop_request_ends_the_first_which_resumes_exactly(
    tmp_path, uninterrupted
):
    run = prepared(tmp_path / "run")
    first = start(run)
    wait_for_iteration(run, 1, first)
    status, said = finish(run)
    assert status == 2
    assert "Another training is working" in said
    assert first.poll() is None or first.returncode == 0
    how = run.stop(patience=60)
    first.wait()
    assert how in ("stopped", "not running")
    assert finish(run)[0] == 0
    assert losses(run) == uninterrupted


def test_a_stop_asked_for_before_the_process_begins_is_heard_once_and_costs_nothing(tmp_path, uninterrupted):
    run = prepared(tmp_path / "run")
    run.request_stop()
    assert finish(run)[0] == 0
    state = run.state()
    assert state.state == "stopped" and state.iteration <= 1
    assert finish(run)[0] == 0
    assert run.state().state == "done"
    assert losses(run) == uninterrupted


def test_a_training_begun_by_an_older_version_goes_on_as_it_would_have(tmp_path):
    reach = {"reach_mm": 4.0, "result_reach_mm": 4.0}  # what was one setting
    whole = prepared(tmp_path / "whole", reach)
    assert finish(whole)[0] == 0
    run = prepared(tmp_path / "run", reach)
    config = json.loads(run.config_file.read_text())
    for part, name in YOUNGER:
        del (config["settings"][part] if part else config["settings"])[name]
    run.config_file.write_text(json.dumps(config))
    first = start(run)
    wait_for_iteration(run, 2, first)
    run.stop(patience=60)
    first.wait()
    assert finish(run)[0] == 0
    assert losses(run) == losses(whole)
    assert validations(run) == validations(whole)


@pytest.fixture
def jumping_clock(tmp_path):
    """A library that lets a process's wall clock jump by a day back and forth."""
    library = tmp_path / "jumping_clock.so"
    source = Path(__file__).parent / "jumping_clock.c"
    try:
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no C compiler for the library that sets the clock")
    return str(library)


def test_a_clock_that_jumps_by_days_changes_no_loss_no_checkpoint_and_no_order(
    tmp_path, jumping_clock, uninterrupted
):
    run = prepared(tmp_path / "run", {"checkpoint_seconds": 3600.0})
    status, said = finish(run, LD_PRELOAD=jumping_clock)
    assert status == 0, said
    times = [event["time"][:10] for event in run.events()]
    assert len(set(times)) > 1 and times != sorted(times), "the clock did not jump"
    assert run.state().state == "done"
    assert losses(run) == uninterrupted
    iterations = [event for event in run.events() if event["kind"] == "iteration"]
    assert [event["iteration"] for event in iterations] == list(range(1, ITERATIONS + 1))
    assert all(0 < event["seconds"] < 3600 and event["per_second"] > 0 for event in iterations)
    # By the jumping clock hours have passed again and again; saved is at the beginning, the best and the end.
    saved = [
        event["iteration"] for event in run.events() if event["kind"] == "checkpoint" and not event["best"]
    ]
    assert saved == [0, ITERATIONS]


def test_a_full_disk_stops_with_advice_and_the_training_goes_on_when_there_is_space(
    small_disk, uninterrupted
):
    run = prepared(small_disk / "run")
    process = start(run)
    wait_for_iteration(run, 2, process)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "No space left" in said and "Free disk space" in said
    (small_disk / "ballast").unlink()
    assert finish(run)[0] == 0
    assert losses(run) == uninterrupted


def test_a_read_only_folder_is_named_before_anything_is_computed(small_disk):
    run = prepared(small_disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    status, said = finish(run)
    assert status != 0
    assert "Traceback" not in said
    assert "read-only" in said.lower()


def test_losses_that_are_no_numbers_end_with_advice(tmp_path):
    run = prepared(
        tmp_path / "run", {**ABLATIONS["supervised"], "optimisation.rate_s": 1e30, "iterations": 40}
    )
    assert finish(run)[0] == 1
    state = run.state()
    assert state.state == "failed"
    assert "numbers" in state.cause and "learning rates" in state.advice
    assert codes(run) == ["nan"] * 3


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler")
def test_compiled_networks_give_the_same_losses(tmp_path):
    little = {**ABLATIONS["supervised"], "segmenter.channels": 2, "segmenter.levels": 2, "iterations": 3}
    told = []
    for name, compiled in (("plain", False), ("compiled", True)):
        run = prepared(tmp_path / name, {**little, "compile": compiled})
        status, said = finish(run, TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "kernels"))
        assert status == 0, said
        assert codes(run) == []
        assert any((tmp_path / "kernels").rglob("*.so")) == compiled
        told.append(losses(run))
    assert len(told[0]) == 3
    for plain, compiled in zip(*told, strict=True):
        assert compiled == pytest.approx(plain, rel=1e-5)


NO_COMPILER = {"PATH": "nowhere", "CXX": "nowhere"}
PLAIN_ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.skipif(os.name == "nt", reason="compilers are not found by PATH and CXX here")
@pytest.mark.parametrize("trouble", [NO_COMPILER, PLAIN_ASCII], ids=["no compiler", "ASCII"])
def test_what_cannot_be_compiled_runs_as_it_is_and_it_is_said(tmp_path, uninterrupted, trouble):
    run = prepared(tmp_path / "run", {"compile": True})
    status, said = finish(run, TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "kernels"), **trouble)
    assert status == 0, said
    assert codes(run) == ["compile"]
    assert losses(run) == uninterrupted


def test_too_little_memory_halves_the_micro_batch_and_says_so(tmp_path):
    large = {"batch": 16, "micro_batch": 16, "segmenter.channels": 16, "iterations": 1, "patch": [16, 64, 64]}
    run = prepared(tmp_path / "run", {**ABLATIONS["supervised"], **large})
    status, said = finish(run, MEMORY_LEFT="1200", MALLOC_ARENA_MAX="1")
    assert status == 0, said
    assert "memory" in codes(run)
    assert len(losses(run)) == 1


def test_too_little_memory_even_for_one_volume_ends_with_advice(tmp_path):
    large = {"batch": 2, "micro_batch": 2, "segmenter.channels": 64, "patch": [40, 160, 160]}
    run = prepared(tmp_path / "run", {**ABLATIONS["supervised"], **large})
    assert finish(run, MEMORY_LEFT="500", MALLOC_ARENA_MAX="1")[0] == 1
    assert "too small even for one volume" in run.state().cause


LOST = "unspecified launch failure"
SEARCH = "Search for `cudaErrorLaunchFailure' in https://docs.nvidia.com/cuda for more information."
STEPS_OF_AN_ITERATION = 3
"""Of the optimizers of D, S and G, with one update of D."""


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (f"AcceleratorError: CUDA error: {LOST}\n{SEARCH}\n", f"The GPU failed: CUDA error: {LOST}."),
        (
            "RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
            "The GPU failed: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED.",
        ),
        (
            "RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`",
            "The GPU failed: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`.",
        ),
    ],
    ids=["device", "cuDNN", "cuBLAS"],
)
def test_a_gpu_that_is_lost_in_mid_run_is_told_with_advice_and_costs_what_came_after_the_checkpoint(
    tmp_path, uninterrupted, failure, cause
):
    """What PyTorch raises then is raised by every operation from the fourth iteration on."""
    run = prepared(tmp_path / "run", {"checkpoint_seconds": 0.0})
    status, said = finish(run, FAILURE=failure, STEPS=str(3 * STEPS_OF_AN_ITERATION + 1))
    assert status == 1 and "Traceback" in said, said
    state = run.state()
    assert (state.state, state.iteration) == ("failed", 3)
    assert (state.cause, state.advice) == (cause, "Resume; on the CPU if it fails again.")
    assert run.process() is None and not run.process_file.exists()
    assert latest_checkpoint(run.checkpoints)[0].progress["iteration"] == 3
    assert finish(run)[0] == 0
    assert run.state().state == "done"
    assert losses(run) == uninterrupted


def test_too_little_memory_outside_an_update_is_told_with_advice(tmp_path, uninterrupted):
    run = prepared(tmp_path / "run")
    lacking = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB."
    failure = f"OutOfMemoryError: {lacking}"
    assert finish(run, FAILURE=failure, STEPS=str(2 * STEPS_OF_AN_ITERATION))[0] == 1
    state = run.state()
    assert (state.state, state.cause) == ("failed", f"The memory is too small: {lacking}")
    assert state.advice == "Close other programs, then resume."
    assert finish(run)[0] == 0
    assert losses(run) == uninterrupted


def test_a_gpu_that_does_not_work_is_told_before_anything_is_computed(tmp_path, uninterrupted):
    run = prepared(tmp_path / "run")
    config = json.loads(run.config_file.read_text())
    run.config_file.write_text(json.dumps({**config, "device": "cuda"}))
    status, said = finish(run, CUDA_VISIBLE_DEVICES="")
    assert status == 1 and "Traceback" not in said, said
    state = run.state()
    assert state.state == "failed" and "GPU cannot be used" in state.cause and "CPU" in state.advice
    assert not run.process_file.exists()
    on_cpu = [sys.executable, str(WORKER), str(run.path), "cpu"]
    assert subprocess.run(on_cpu, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode == 0
    assert losses(run) == uninterrupted


TWO_PROCESSES = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def test_two_processes_with_torchrun_give_the_losses_of_one(tmp_path):
    # Sums in another order differ in the last digit; with small steps of Adam the difference stays there.
    small_steps = {f"optimisation.rate_{name}": 1e-5 for name in "sgd"} | {"iterations": 4}
    alone, shared = (prepared(tmp_path / name, small_steps) for name in ("alone", "shared"))
    assert finish(alone)[0] == 0
    status, said = finish(shared, *TWO_PROCESSES)
    assert status == 0, said
    assert len(losses(shared)) == len(losses(alone)) == 4
    for ours, theirs in zip(losses(shared), losses(alone), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_a_stop_while_two_processes_prepare_the_cases_ends_both(tmp_path):
    run = prepared(tmp_path / "run")
    both = start(run, *TWO_PROCESSES, PREPARE_SECONDS="1000")
    wait_until(lambda: bool(run.events()) or both.poll() is not None)
    assert run.stop(patience=300) == "stopped"
    said = both.communicate(timeout=300)[1]
    assert both.returncode == 0, said
    assert run.state().state == "stopped" and not run.stop_file.exists()


@pytest.mark.skipif(os.name == "nt", reason="there are no signals here")
@pytest.mark.parametrize(
    ("iteration", "to_launcher"),
    [(0, False), (2, False), (2, True)],
    ids=["while the cases are prepared", "while it trains", "by the launcher"],
)
def test_sigterm_to_one_of_two_processes_ends_both_with_a_checkpoint(tmp_path, iteration, to_launcher):
    run = prepared(tmp_path / "run", {"iterations": 1000})
    preparing = {} if iteration else {"PREPARE_SECONDS": "1000"}
    both = start(run, *TWO_PROCESSES, **preparing)
    wait_until(lambda: bool(run.events()) or both.poll() is not None)
    wait_for_iteration(run, iteration, both)
    os.kill(both.pid if to_launcher else run.process().pid, signal.SIGTERM)
    said = both.communicate(timeout=300)[1]
    assert to_launcher or both.returncode == 0, said
    state, (checkpoint, _) = run.state(), latest_checkpoint(run.checkpoints)
    assert state.state == "stopped" and iteration <= state.iteration < 1000
    assert iteration == 0 or checkpoint.progress["iteration"] == state.iteration
    assert not run.stop_file.exists()


@pytest.fixture
def at_work(tmp_path):
    """A run with a process, of which nothing but that it lives matters, and the process."""
    run, process = prepared(tmp_path / "first"), subprocess.Popen(["sleep", "3600"])
    write_identity(run.process_file, identity_of(process.pid))
    yield run, process
    process.kill()
    process.wait()


@pytest.mark.skipif(os.name == "nt", reason="there are no signals here")
def test_a_queued_training_waits_without_torch_and_ends_in_order_when_it_is_terminated(
    tmp_path, at_work, capsys
):
    first, process = at_work
    second = prepared(tmp_path / "second", {"iterations": 1000})
    command, environment = [sys.executable, str(WORKER), str(second.path)], {**os.environ}

    pid = launch(second, command, environment, [first])
    assert (second.state().state, second.state().cause) == ("waiting", "Waiting for first to end.")
    commands.run_runs(argparse.Namespace(folder=tmp_path))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "second" in line)
    assert "waiting" in line and "running" not in line
    maps = Path(f"/proc/{pid}/maps")
    wait_until(lambda: not maps.exists() or "psutil" in maps.read_text())
    time.sleep(0.5)
    assert not maps.exists() or "libtorch" not in maps.read_text()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: second.process() is None)
    assert second.state().state == "new" and not second.process_file.exists()

    pid = launch(second, command, environment, [first])
    process.kill()
    process.wait()
    wait_until(lambda: second.state().iteration > 0 or second.process() is None)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: second.process() is None)
    state, (checkpoint, _) = second.state(), latest_checkpoint(second.checkpoints)
    assert state.state == "stopped" and 0 < state.iteration < 1000, second.log_file.read_text()
    assert checkpoint.progress["iteration"] == state.iteration
