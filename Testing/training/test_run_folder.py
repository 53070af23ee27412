"""What a run leaves on disk: events, checkpoints, states, and the process that works on it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from GASNetLib.errors import ResourceError
from GASNetLib.run import process
from GASNetLib.run.checkpoints import (
    Checkpoint,
    checkpoints,
    latest_checkpoint,
    read_checkpoint,
    remove_parts,
    write_best,
    write_checkpoint,
)
from GASNetLib.run.errors import RunError
from GASNetLib.run.events import EventLog, history, read_events
from GASNetLib.run.folder import RunFolder, find_runs
from GASNetLib.run.launch import launch, start_worker


def checkpoint(iteration: int, value: float = 1.0) -> Checkpoint:
    return Checkpoint({"weights": torch.full((50,), value)}, {"iteration": iteration})


def started(iteration: int) -> dict:
    return {"iteration": iteration, "iterations": 10, "device": "cpu", "threads": 1, "world": 1}


@pytest.fixture
def sleeper():
    def start(*arguments: str) -> subprocess.Popen:
        running.append(subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True))
        return running[-1]

    running: list[subprocess.Popen] = []
    yield start
    for one in running:
        one.kill()
        one.wait()


# ---- events


def test_events_come_back_as_written_and_only_new_ones_when_followed(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.write("stopped", iteration=3)
    first, offset = read_events(tmp_path / "events.jsonl")
    log.write("error", cause="Größe", advice="…")
    second, _ = read_events(tmp_path / "events.jsonl", offset)
    assert [(e["kind"], e["v"]) for e in first] == [("stopped", 1)]
    assert [e["cause"] for e in second] == ["Größe"]


@pytest.mark.parametrize("half", [b'{"v":1,"kind":"st', b"\xff\xfe\x00", b"x" * 10_000])
def test_a_half_written_last_line_is_not_seen_and_is_cut_off_by_the_next_writer(tmp_path, half):
    path = tmp_path / "events.jsonl"
    EventLog(path).write("stopped", iteration=1)
    with path.open("ab") as file:
        file.write(half)
    events, offset = read_events(path)
    assert [e["iteration"] for e in events] == [1]
    EventLog(path).write("stopped", iteration=2)
    assert [e["iteration"] for e in read_events(path, offset)[0]] == [2]
    assert [e["iteration"] for e in read_events(path)[0]] == [1, 2]


def test_a_line_read_in_two_halves_appears_once_and_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    line = json.dumps({"kind": "stopped", "iteration": 1, "note": "é"}).encode() + b"\n"
    seen, offset = [], 0
    for end in range(len(line) + 1):
        path.write_bytes(line[:end])
        events, offset = read_events(path, offset)
        seen += events
    assert [e["iteration"] for e in seen] == [1]


def test_damaged_lines_are_skipped_and_unknown_kinds_of_newer_versions_kept(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind":"new thing","v":9}\nnot json\n[1]\n\n{"kind":"stopped","iteration":4}\n')
    assert [e["kind"] for e in read_events(path)[0]] == ["new thing", "stopped"]


def test_a_reader_starts_anew_when_the_file_was_replaced_by_a_shorter_one(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind":"stopped","iteration":4}\n')
    assert len(read_events(path, offset=10_000)[0]) == 1


def test_events_hold_no_nan_and_refuse_other_fields(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(ValueError):
        log.write("stopped", iteration=3, mood="good")
    log.write("done", iteration=3, best_iteration=None, best_dice=float("nan"), model="m")
    assert "NaN" not in (tmp_path / "events.jsonl").read_text()


def test_history_forgets_what_was_done_again_after_a_crash():
    def event(kind, iteration):
        return {"kind": kind, "iteration": iteration}

    told = [
        event("started", 0),
        *(event("iteration", i) for i in (1, 2, 3)),
        event("started", 2),
        event("iteration", 3),
    ]
    assert [e["iteration"] for e in history(told) if e["kind"] == "iteration"] == [1, 2, 3]
    assert history(told)[-2]["kind"] == "started"


# ---- checkpoints


def test_a_checkpoint_comes_back_and_only_the_latest_two_and_the_best_stay(tmp_path):
    for iteration in (1, 2, 3, 10):
        write_checkpoint(tmp_path, checkpoint(iteration, iteration))
        write_best(tmp_path, checkpoint(iteration, iteration))
    latest, damaged = latest_checkpoint(tmp_path)
    assert latest.progress == {"iteration": 10} and not damaged
    assert torch.equal(latest.tensors["weights"], torch.full((50,), 10.0))
    assert [path.name[:6] for path in checkpoints(tmp_path)] == ["000003", "000010"]
    assert len(list(tmp_path.glob("best-*"))) == 1
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage):
    write_checkpoint(tmp_path, checkpoint(1))
    path = write_checkpoint(tmp_path, checkpoint(2))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": content[:-7], "one bit": content, "empty": b""}[damage])
    latest, damaged = latest_checkpoint(tmp_path)
    assert latest.progress == {"iteration": 1}
    assert damaged == [path]


def test_killed_writers_never_leave_a_broken_checkpoint(tmp_path, sleeper):
    """kill -9 at random moments of writing: there is always a whole checkpoint."""
    script = (
        "import sys, torch; sys.path.insert(0, 'GASNetSegment')\n"
        "from pathlib import Path\n"
        "from GASNetLib.run.checkpoints import *\n"
        "folder, i = Path(sys.argv[1]), int(sys.argv[2])\n"
        "while True:\n"
        "    i += 1\n"
        "    weights = torch.full((300_000,), float(i))\n"
        "    write_checkpoint(folder, Checkpoint({'w': weights}, {'iteration': i}))\n"
        "    print(i, flush=True)\n"
    )
    chance, reached = random.Random(0), 0
    for _ in range(3):
        writer = sleeper("-c", script, str(tmp_path), str(reached))
        writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        written = [int(line) for line in writer.communicate()[0].split()]
        latest, damaged = latest_checkpoint(tmp_path)
        assert not damaged
        assert latest.progress["iteration"] >= max(written, default=reached)
        assert latest.tensors["w"].unique().item() == latest.progress["iteration"]
        reached = latest.progress["iteration"]
    remove_parts(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_foreign_file_is_no_checkpoint(tmp_path):
    (tmp_path / "000001-abc.safetensors").write_bytes(b"hello")
    assert read_checkpoint(tmp_path / "000001-abc.safetensors") is None
    assert latest_checkpoint(tmp_path) == (None, [tmp_path / "000001-abc.safetensors"])


# ---- processes


def test_a_process_is_known_by_number_and_start():
    own = process.own_identity()
    assert process.is_alive(own)
    assert not process.is_alive(process.Identity(own.pid, "another boot 17", own.host))
    assert not process.is_alive(process.Identity(own.pid, own.started, "another-computer"))
    assert not process.is_alive(None)


def test_the_identity_does_not_depend_on_the_wall_clock():
    """The start is told in ticks since a boot that is named, and not as a time of day."""
    if sys.platform != "linux":
        pytest.skip("elsewhere the operating system's own start time is taken")
    boot, ticks = process.own_identity().started.split()
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert 0 < int(ticks) / os.sysconf("SC_CLK_TCK") <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_zombie_is_not_alive(sleeper):
    child = sleeper("-c", "import time; time.sleep(60)")
    identity = process.identity_of(child.pid)
    assert process.is_alive(identity)
    os.kill(child.pid, signal.SIGKILL)
    time.sleep(0.3)
    assert child.returncode is None  # not waited for: a zombie
    assert not process.is_alive(identity)


def test_a_lock_is_refused_to_the_second_and_free_after_kill_9(tmp_path, sleeper):
    script = (
        "import sys, time; sys.path.insert(0, 'GASNetSegment')\n"
        "from pathlib import Path\n"
        "from GASNetLib.run.process import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = sleeper("-c", script, str(tmp_path / "lock"))
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="Another training"), process.exclusive(tmp_path / "lock"):
        pass
    holder.kill()
    holder.wait()
    with process.exclusive(tmp_path / "lock"):
        pass


STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)
PARENT = f"""
import subprocess, sys, signal, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE)
child.stdout.readline()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_ending_takes_the_gentlest_step_that_works(sleeper, tmp_path):
    waits = (
        "import sys, time, os\nprint(1, flush=True)\nwhile not os.path.exists(sys.argv[1]): time.sleep(.02)"
    )
    gentle = sleeper("-c", waits, str(tmp_path / "stop"))
    gentle.stdout.readline()
    end = process.identity_of(gentle.pid)
    assert process.end_process(end, (tmp_path / "stop").touch, patience=20) == "stopped"
    deaf = sleeper("-c", "import time; time.sleep(60)")
    assert process.end_process(process.identity_of(deaf.pid), lambda: None, 0.2, 10) == "terminated"
    assert (
        process.end_process(process.identity_of(deaf.pid) if deaf.poll() is None else None, lambda: None)
        == "not running"
    )


def test_ending_kills_the_whole_tree_of_a_stubborn_process(sleeper):
    parent = sleeper("-c", PARENT)
    child = int(parent.stdout.readline())
    child_identity = process.identity_of(child)
    assert (
        process.end_process(process.identity_of(parent.pid), lambda: None, patience=0.1, grace=0.5)
        == "killed"
    )
    assert not process.is_alive(child_identity)


def test_a_detached_process_outlives_its_starter(tmp_path):
    mark = tmp_path / "mark with spaces ä"
    script = f"import time; time.sleep(0.5); open({str(mark)!r}, 'w').write('alive')"
    starter = (
        "import sys; sys.path.insert(0, 'GASNetSegment')\n"
        "from pathlib import Path\n"
        "from GASNetLib.run.process import start_detached\n"
        f"start_detached([sys.executable, '-c', {script!r}], Path({str(tmp_path / 'log')!r}))\n"
    )
    subprocess.run([sys.executable, "-c", starter], check=True)
    until(lambda: mark.exists() and mark.read_text() == "alive")


def until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


# ---- folder


def test_a_folder_is_made_once_and_opened_again(tmp_path):
    made = RunFolder.create(tmp_path / "run ä", {"settings": {"batch": 2}})
    assert RunFolder.open(tmp_path / "run ä").config()["settings"] == {"batch": 2}
    with pytest.raises(RunError, match="already"):
        RunFolder.create(made.path, {})
    assert [run.path for run in find_runs(tmp_path)] == [made.path]
    assert made.state().state == "new"


def test_folders_that_are_no_run_or_newer_or_damaged_are_refused(tmp_path):
    with pytest.raises(RunError, match="no training"):
        RunFolder.open(tmp_path)
    (tmp_path / "config.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="newer"):
        RunFolder.open(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        RunFolder.open(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError) as error:
        RunFolder.create(tmp_path / "file" / "run", {})
    assert error.value.advice


def test_the_state_follows_events_and_process(tmp_path):
    run = RunFolder.create(tmp_path / "run", {})
    log = EventLog(run.events_file)
    log.write("started", **started(0))
    fields = {"rates": {}, "seconds": 4.0, "per_second": 0.5, "gpu_gb": None, "share": {}}
    log.write("iteration", iteration=2, losses={"healthy": 0.5}, **fields)
    assert run.state().state == "interrupted"
    process.write_identity(run.process_file, process.own_identity())
    state = run.state()
    assert (state.state, state.iteration, state.iterations, state.seconds_left) == ("running", 2, 10, 16.0)
    run.request_stop()
    assert run.state().state == "stopping"
    run.process_file.unlink()
    log.write("error", cause="The disk is full.", advice="Free it.")
    state = run.state()
    assert (state.state, state.cause, state.advice) == ("failed", "The disk is full.", "Free it.")
    log.write("started", **started(2))
    log.write("stopped", iteration=2)
    assert run.state().state == "stopped"


def test_a_stop_meant_for_an_ended_process_is_forgotten_and_one_meant_for_the_next_is_kept(tmp_path, sleeper):
    run = RunFolder.create(tmp_path / "run", {})
    worker = sleeper("-c", "import time; time.sleep(60)")
    process.write_identity(run.process_file, process.identity_of(worker.pid))
    run.request_stop()
    run.drop_old_stop_request()
    assert run.stop_file.exists() and run.state().state == "stopping"
    worker.kill()
    worker.wait()
    run.drop_old_stop_request()
    assert not run.stop_file.exists()
    run.request_stop()
    run.drop_old_stop_request()
    assert run.stop_file.exists()


def test_what_is_launched_is_seen_at_once_alone_in_its_folder_and_heeds_an_earlier_stop(tmp_path):
    run = RunFolder.create(tmp_path / "run", {})
    run.request_stop()
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    pid = launch(run, command, os.environ)
    assert run.process().pid == pid
    assert run.state().state == "stopping"
    with pytest.raises(RunError, match="already"):
        launch(run, command, os.environ)
    assert run.stop(patience=0.1) == "terminated"
    assert run.process() is None and not run.stop_file.exists()


def test_a_python_that_is_embedded_in_a_program_is_told_how_a_training_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(RunError, match="GASNetTrain"):
        start_worker(RunFolder.create(tmp_path / "run", {}))


def test_starting_a_training_needs_no_torch_in_the_starting_program():
    code = "import sys, GASNetLib.run.launch; print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": "GASNetSegment"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert said.stdout.strip() == "False", said.stderr


def test_a_reader_never_waits_for_a_writer(tmp_path):
    """Following a growing file from another thread sees every event once, in order."""
    path, seen, offset = tmp_path / "events.jsonl", [], 0
    log = EventLog(path)
    writer = threading.Thread(target=lambda: [log.write("stopped", iteration=i) for i in range(500)])
    writer.start()
    while writer.is_alive() or len(seen) < 500:
        events, offset = read_events(path, offset)
        seen += [event["iteration"] for event in events]
    assert seen == list(range(500))
