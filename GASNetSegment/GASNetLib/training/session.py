"""A training from its run folder, in this process; :mod:`.preparation` makes the folder."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..cohort import Cohort, read_cohort
from ..errors import Cancelled, GASNetError, ResourceError
from ..model import load_model
from ..run.checkpoints import remove_parts
from ..run.errors import RunError
from ..run.events import EventLog
from ..run.folder import RunFolder
from ..run.process import exclusive, own_identity, write_identity
from .batches import Crops
from .distributed import World, joined_world
from .freed_memory import keep_freed_memory
from .packages import write_package
from .preparation import LEARNED_FROM, parent_file
from .settings import Settings, from_data
from .state import TrainingState, check_architectures, new_state
from .trainer import Report, Trainer, resume_state
from .update import lacks_memory

OpenCrops = Callable[..., Crops]
"""As :func:`GASNetLib.cohort.crop_cache.open_crops`: cohort, cache folder, ``progress=``, ``cancelled=``."""

GPU_LIBRARIES = ("CUDA error", "cuDNN error", "NCCL error", "Triton Error [CUDA]")
"""How errors begin that the libraries on a GPU report; PyTorch has a class of its own for the first only."""

PREPARED_SECONDS = 1.0
"""Shortest time between two ``prepared`` events."""


def work_on(
    path: str | Path,
    device: str | None = None,
    open_crops: OpenCrops | None = None,
    asked: Callable[[], bool] = lambda: False,
) -> int:
    """Train in this process from the latest checkpoint, or from the start, until done or stopped.

    What goes wrong stands in the folder as an ``error`` event with cause and advice, and on stderr.

    Args:
        device: in place of the one in the configuration.
        asked: whether a stop is asked for in another way than in the folder, such as by a signal.

    Returns:
        Exit status: 0 done or stopped, 1 failed, 2 refused (another training works there).
    """
    try:
        run = RunFolder.open(path)
        settings = from_data(run.config()["settings"])
        try:
            with joined_world(device or run.config()["device"]) as (world, own_device):
                if own_device.type == "cpu":
                    keep_freed_memory()

                def work(report: Report) -> int:
                    return _train(run, settings, world, own_device, report, open_crops, asked)

                if not world.leads:
                    return work(lambda kind, **fields: None)
                with exclusive(run.lock_file):
                    return _reported(run, work)
        except ResourceError as error:  # the device does not work
            with exclusive(run.lock_file):
                return _reported(run, _refusal(error))
    except RunError as error:
        print(error, file=sys.stderr)
        return 2
    except GASNetError as error:
        print(error, file=sys.stderr)
        return 1


def _reported(run: RunFolder, work: Callable[[Report], int]) -> int:
    """Work with an event log; failures become events in plain words."""
    remove_parts(run.checkpoints)
    run.drop_old_stop_request()
    log = EventLog(run.events_file)
    write_identity(run.process_file, own_identity())
    try:
        return work(log.write)
    except GASNetError as error:
        return _failed(log, error.cause, error.advice)
    except OSError as error:
        return _failed(log, f"The disk failed: {error}.", "Free disk space, check the path, then resume.")
    except Exception as error:  # the last line of defence: no failure without a word
        traceback.print_exc()
        return _failed(log, *_explained(error))
    finally:
        run.process_file.unlink(missing_ok=True)
        log.close()


def _refusal(error: GASNetError) -> Callable[[Report], int]:
    def refuse(report: Report) -> int:
        raise error

    return refuse


def _explained(error: Exception) -> tuple[str, str]:
    """Cause and advice, from what PyTorch says. No tensor is touched: a GPU that is lost fails at each."""
    said = str(error).partition("\n")[0].rstrip(".")
    if lacks_memory(error):
        return f"The memory is too small: {said}.", "Close other programs, then resume."
    if isinstance(error, torch.AcceleratorError) or said.startswith(GPU_LIBRARIES):
        return f"The GPU failed: {said}.", "Resume; on the CPU if it fails again."
    return f"Unexpected: {_first_line(error)}.", "The details are in run.log. Resume to try again."


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")


def _failed(log: EventLog, cause: str, advice: str) -> int:
    print(cause, advice, file=sys.stderr)
    try:
        log.write("error", cause=cause, advice=advice)
    except ResourceError as error:
        print(error, file=sys.stderr)
    return 1


def _train(
    run: RunFolder,
    settings: Settings,
    world: World,
    device: torch.device,
    report: Report,
    open_crops: OpenCrops | None,
    asked: Callable[[], bool],
) -> int:
    check_architectures(settings)  # before the cases, which may take long
    config, cohort = run.config(), read_cohort(run.cohort_file)
    world.any(False)  # by now the leading process has forgotten a stop that was meant for an earlier one
    wants_stop = _stop_asked(run, world, asked)
    crops = _crops(cohort, Path(config["cache"]), report, open_crops, wants_stop)
    if world.any(crops is None):
        if world.leads:
            _stopped(run, run.state().iteration, report)
        return 0
    state = _state(run, settings, device, report)
    report(
        "started",
        iteration=state.progress.iteration,
        iterations=settings.iterations,
        device=_device_name(device),
        threads=torch.get_num_threads(),
        world=world.size,
    )
    roles = ("labelled", "diseased", "healthy", "validation")
    cases = {role: tuple(case.name for case in cohort.with_role(role)) for role in roles}
    provenance = _provenance(run, config, cases, crops)
    trainer = Trainer(settings, state, crops, cases, run, report, wants_stop, world, provenance)
    ending = trainer.train()
    if world.leads:
        _finish(run, settings, state, provenance, ending, report)
    return 0


def _stop_asked(run: RunFolder, world: World, asked: Callable[[], bool]) -> Callable[[], bool]:
    """Whether a stop is asked for, in the folder or by a signal; one signal is enough for all processes."""

    def wants_stop() -> bool:
        if asked() and world.size > 1 and not run.stop_file.exists():
            run.request_stop()  # the others hear no signal, but look here
        return asked() or run.stop_file.exists()

    return wants_stop


def _crops(
    cohort: Cohort,
    cache: Path,
    report: Report,
    open_crops: OpenCrops | None,
    wants_stop: Callable[[], bool],
) -> Crops | None:
    """The crops of all cases; None if a stop was asked for before they were there."""
    if open_crops is None:
        from ..cohort.crop_cache import open_crops
    with suppress(Cancelled):
        return open_crops(cohort, cache, progress=_preparation(report, len(cohort)), cancelled=wants_stop)
    return None


def _state(run: RunFolder, settings: Settings, device: torch.device, report: Report) -> TrainingState:
    state = new_state(settings, device)
    if not resume_state(state, run, report) and parent_file(run).exists():
        parent = load_model(parent_file(run))
        state.networks.segmenter.load_state_dict(parent.segmenter.state_dict())
        state.averaged.load_state_dict(parent.segmenter.state_dict())
        if parent.generator is not None and state.networks.generator is not None:
            state.networks.generator.load_state_dict(parent.generator.state_dict())
    if settings.compile:
        _compile(state, report)
    return state


def _compile(state: TrainingState, report: Report) -> None:
    """Compile the networks for where they are; what no compiler works for runs as it is."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(1, device=state.device))
    except Exception as error:  # of any type: no compiler, no Triton, an ASCII locale
        report(
            "warning",
            iteration=state.progress.iteration,
            cause=f"The networks cannot be compiled ({_first_line(error)}).",
            advice="They run as they are, more slowly. Compiling takes a C++ compiler, on a GPU Triton.",
            code="compile",
        )
        return
    for network in state.networks.named().values():
        network.compile()


def _finish(
    run: RunFolder,
    settings: Settings,
    state: TrainingState,
    provenance: Mapping[str, Any],
    ending: str,
    report: Report,
) -> None:
    progress = state.progress
    write_package(run.last_model, state, settings, provenance, None)
    if ending == "stopped":
        _stopped(run, progress.iteration, report)
        return
    best = run.best_model if run.best_model.exists() else run.last_model
    report(
        "done",
        iteration=progress.iteration,
        best_iteration=progress.best_iteration,
        best_dice=progress.best_score,
        model=best.relative_to(run.path).as_posix(),
    )


def _stopped(run: RunFolder, iteration: int, report: Report) -> None:
    """The request is fulfilled: nothing of it waits for the next process."""
    report("stopped", iteration=iteration)
    run.stop_file.unlink(missing_ok=True)


def _provenance(
    run: RunFolder, config: Mapping[str, Any], cases: Mapping[str, Sequence[str]], crops: Crops
) -> dict:
    learned_from = sorted(name for role in LEARNED_FROM for name in cases[role])
    return {
        "name": run.path.name,
        "parent": config["parent"],
        "licence": config.get("licence", ""),
        "cases": {role: len(names) for role, names in cases.items()},
        # So that a case a model was trained on is never taken to judge it by.
        "trained_on": learned_from,
        "trained_on_voxels": sorted({crops[name].voxels for name in learned_from}),
    }


def _preparation(report: Report, total: int) -> Callable[[str, float], None]:
    told = 0.0

    def progress(what: str, fraction: float) -> None:
        nonlocal told
        if fraction >= 1 or time.monotonic() - told > PREPARED_SECONDS:
            told = time.monotonic()
            report("prepared", cases=round(fraction * total), total=total, what=what)

    return progress


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
