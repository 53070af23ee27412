"""Work on many cases in processes: no case stops the others, whatever it does to its process."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from GASNetLib.cohort import case_pool
from GASNetLib.cohort.case_pool import run_cases
from GASNetLib.errors import Cancelled, ResourceError
from training.misbehaving_cases import behave


@pytest.mark.parametrize("jobs", [0, 2])
def test_every_case_gets_its_own_outcome(jobs):
    cases = ["first", "refuse", "bug", "hog", "last"]
    heard = []
    outcomes = run_cases(behave, cases, "Reading", lambda stage, share: heard.append((stage, share)), jobs)
    assert [outcome.result and outcome.result[0] for outcome in outcomes] == [
        "first",
        None,
        None,
        None,
        "last",
    ]
    assert str(outcomes[1].error) == "It is broken. Repair it."
    assert "KeyError: 'colour'" in outcomes[2].error.cause
    assert "memory" in outcomes[3].error.cause
    assert heard == [(f"Reading {n} of 5", n / 5) for n in range(1, 6)]


def test_a_case_that_kills_its_process_costs_itself_only():
    outcomes = run_cases(behave, ["die", "a", "die", "b", "c"], "Reading", jobs=2)
    assert [outcome.result is not None for outcome in outcomes] == [False, True, False, True, True]
    assert "died (exit code 7)" in outcomes[0].error.cause
    assert os.getpid() not in {outcome.result[1] for outcome in outcomes if outcome.result}


def test_a_full_disk_stops_all():
    with pytest.raises(ResourceError, match="disk is full"):
        run_cases(behave, ["a", "disk full", *"bcdefgh"], "Reading", jobs=1)


def spawned() -> list[psutil.Process]:
    """Processes of a pool. Other tests leave children that ended and are not yet waited for."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.ZombieProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_cancel_ends_the_processes():
    looks = []

    def cancelled() -> bool:
        looks.append(spawned())
        return len(looks) > 3

    with pytest.raises(Cancelled):
        run_cases(behave, ["sleep", "sleep"], "Reading", jobs=2, cancelled=cancelled)
    assert len(looks[-1]) == 2
    assert psutil.wait_procs(looks[-1], timeout=20)[1] == []


def test_processes_end_when_their_starter_is_killed(tmp_path):
    script = tmp_path / "starter.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(case_pool.__file__).parents[2])!r})\n"
        "from GASNetLib.cohort.case_pool import run_cases\n"
        "if __name__ == '__main__':\n"
        "    run_cases(time.sleep, [0.5] * 1000, 'Sleeping', lambda *_: print('going', flush=True), jobs=2)\n"
    )
    starter = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    starter.stdout.readline()
    children = psutil.Process(starter.pid).children(recursive=True)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=20)[1] == []


def test_a_script_without_guard_is_told_what_to_do(tmp_path):
    script = tmp_path / "careless.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(case_pool.__file__).parents[2])!r})\n"
        "from GASNetLib.cohort.case_pool import run_cases\n"
        "run_cases(time.sleep, [0, 0, 0], 'Sleeping', jobs=1)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "if __name__ == '__main__'" in done.stderr.splitlines()[-1]
