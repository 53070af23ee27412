"""The warm worker: a process that keeps torch imported and the model loaded, for a program that must not
freeze.

Started as ``python -m GASNetLib.worker FOLDER PARENT_PID PARENT_START``. All talk goes through files in that
private folder, so that neither side can block the other:

    request-0001.json   written whole by the client: {"do": "segment", …}
    ct-0001.npy         the CT of a request, mapped into memory, not copied
    cancel-0001         an empty file: stop that request
    events.jsonl        a JSON object a line, ASCII: {"id": 1, "event": "progress", "stage": …, "share": …}
    evidence-0001.npy   results

Requests are served one after the other. The worker ends when its parent is gone (its pid with its start
time),
when the folder is gone, or when nothing was asked of it for a while.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .errors import Cancelled, GASNetError, PackageError, ResourceError
from .geometry import Geometry

POLL_S = 0.05
IDLE_S = 15 * 60
"""After so long without a request the worker ends and gives its memory back; the next request starts
another."""

EVENTS_FILE = "events.jsonl"


def file_of(kind: str, number: int, ending: str = "") -> str:
    """Name of a file of a request: ``file_of("ct", 1, ".npy")`` is ``ct-0001.npy``."""
    return f"{kind}-{number:04d}{ending}"


class Worker:
    """Serves the requests in one folder."""

    def __init__(self, folder: Path, parent_is_there: Callable[[], bool], idle_s: float = IDLE_S) -> None:
        self.folder = folder
        self.parent_is_there = parent_is_there
        self.idle_s = idle_s
        self._next = 1
        self._model: tuple[tuple, object] | None = None
        self._actions = {
            "segment": self._segment,
            "restore": self._restore,
            "segment_file": self._segment_file,
            "check": self._check,
        }

    def run(self) -> None:
        """Serve until there is nobody left to serve."""
        self._tell(0, "ready", pid=os.getpid())
        waiting_since = time.monotonic()
        while (
            time.monotonic() - waiting_since < self.idle_s and self.parent_is_there() and self.folder.is_dir()
        ):
            request = self.folder / file_of("request", self._next, ".json")
            if request.exists():
                self._serve(json.loads(request.read_text(encoding="utf-8")), self._next)
                self._next += 1
                waiting_since = time.monotonic()
            else:
                time.sleep(POLL_S)

    def _serve(self, request: dict, number: int) -> None:
        try:
            _load_torch()
            answer = self._actions[request["do"]](request, number)
            self._tell(number, "done", **answer)
        except Cancelled:
            self._tell(number, "cancelled")
        except GASNetError as error:
            self._tell_error(number, error.cause, error.advice)
        except MemoryError:
            self._tell_error(
                number, "The memory was not enough.", "Close other programs, or crop the CT to the chest."
            )
        except ImportError as error:
            broken = PackageError((error.name or "torch").partition(".")[0])
            self._tell_error(number, broken.cause, broken.advice, package=broken.package)
        except Exception as error:  # the worker must answer whatever happens; the details go into the report
            self._tell_error(
                number,
                f"Something went wrong that was not foreseen ({type(error).__name__}: {error}).",
                "Copy the report and send it to the authors.",
            )

    def _tell_error(self, number: int, cause: str, advice: str, **more: str) -> None:
        self._tell(number, "error", cause=cause, advice=advice, details=traceback.format_exc(), **more)

    def _tell(self, number: int, event: str, **more) -> None:
        line = json.dumps({"id": number, "event": event, **more})  # ASCII, whatever the locale is
        with (self.folder / EVENTS_FILE).open("a", encoding="ascii") as file:
            file.write(line + "\n")

    def _progress(self, number: int) -> Callable[[str, float], None]:
        return lambda stage, share: self._tell(number, "progress", stage=stage, share=share)

    def _cancelled(self, number: int) -> Callable[[], bool]:
        cancel = self.folder / file_of("cancel", number)
        return lambda: cancel.exists() or not self.parent_is_there()

    # --- what can be asked --------------------------------------------------------------------------------

    def _segment(self, request: dict, number: int) -> dict:
        from .evidence import evidence_box, evidence_of, provenance_of
        from .provenance import image_sha256
        from .segment import segment

        progress, cancelled = self._progress(number), self._cancelled(number)
        model = self._loaded(request, progress)
        found = segment(
            self._volume(request, number),
            model,
            progress=progress,
            cancelled=cancelled,
            **_options(request),
        )
        evidence = evidence_of(found)
        # What takes long with a large CT is worked out here, where no window waits.
        hashed = {"image_sha256": image_sha256(self._array(number), _geometry(request))}
        return {
            "evidence": self._save("evidence", number, evidence),
            "box": [[side.start, side.stop] for side in evidence_box(evidence)],
            "provenance": {**provenance_of(found, request["lungs_method"]), **hashed},
        }

    def _restore(self, request: dict, number: int) -> dict:
        from .provenance import made_by, now
        from .segment import restore_healthy

        progress = self._progress(number)
        model = self._loaded(request, progress)
        restored, difference = restore_healthy(
            self._volume(request, number),
            model,
            device=request["device"],
            lungs_method=request["lungs_method"],
            progress=progress,
            cancelled=self._cancelled(number),
        )
        return {
            "notes": list(restored.notes),
            "provenance": made_by(model.info, now()),
            "restored": self._save("restored", number, np.rint(restored.hu).astype(np.int16)),
            "difference": self._save("difference", number, np.rint(difference).astype(np.int16)),
        }

    def _segment_file(self, request: dict, number: int) -> dict:
        from .folder_run import segment_case

        progress = self._progress(number)
        report = segment_case(
            request["name"],
            Path(request["ct"]),
            Path(request["output"]),
            self._loaded(request, progress),
            overwrite=request["overwrite"],
            progress=progress,
            cancelled=self._cancelled(number),
            **_options(request),
        )
        return {"report": report}

    def _check(self, request: dict, number: int) -> dict:
        """Segment a small synthetic CT: whether this computer can do it, and how fast."""
        from .device import gpu_problem
        from .phantom import make_phantom
        from .segment import segment
        from .volume import volume_from_array

        progress = self._progress(number)
        model = self._loaded(request, progress)
        progress("Making a synthetic CT", 0.2)
        phantom = make_phantom(seed=1, shape=(48, 96, 96), lesions="moderate")
        volume = volume_from_array(phantom.hu, phantom.geometry, "Check")
        found = segment(
            volume, model, progress=progress, cancelled=self._cancelled(number), **_options(request)
        )
        return {
            "gpu": gpu_problem() or "",
            "device": found.device,
            "seconds": round(sum(found.seconds.values()), 1),
            "versions": _versions(),
        }

    # --- parts --------------------------------------------------------------------------------------------

    def _volume(self, request: dict, number: int):
        from .volume import volume_from_array

        return volume_from_array(self._array(number), _geometry(request), request["name"])

    def _array(self, number: int) -> np.ndarray:
        """The CT of a request."""
        try:
            return np.load(self.folder / file_of("ct", number, ".npy"), mmap_mode="r")
        except (OSError, ValueError) as error:
            raise ResourceError(f"The CT did not reach the worker ({error}).", "Free disk space.") from error

    def _loaded(self, request: dict, progress: Callable[[str, float], None]):
        """The model of a request; one is kept."""
        from .model import load_model

        path = Path(request["model"])
        key = (path, path.stat().st_mtime_ns if path.exists() else 0)
        if self._model is None or self._model[0] != key:
            progress("Loading the model", 0.0)
            self._model = (key, load_model(path))
        return self._model[1]

    def _save(self, kind: str, number: int, array: np.ndarray) -> str:
        name = file_of(kind, number, ".npy")
        try:
            np.save(self.folder / name, array)
        except OSError as error:
            raise ResourceError(
                f"The result cannot be written ({error.strerror}).", "Free disk space."
            ) from error
        return name


def _geometry(request: dict) -> Geometry:
    return Geometry(**{key: tuple(values) for key, values in request["geometry"].items()})


def _load_torch() -> None:
    """Import torch, so that half an installation is known as such.

    Raises:
        ImportError: it cannot be loaded.
    """
    try:
        import torch  # noqa: F401
    except OSError as error:  # what Windows makes of a library that does not fit
        raise ImportError(str(error), name="torch") from error


def _options(request: dict) -> dict:
    return {key: request[key] for key in ("device", "threshold", "lungs_method")}


def _versions() -> dict[str, str]:
    import torch

    from .version import VERSION

    return {
        "GASNet": VERSION,
        "Python": sys.version.split()[0],
        "PyTorch": torch.__version__,
        "NumPy": np.__version__,
    }


def watch_parent(pid: int, started: float) -> Callable[[], bool]:
    """A function that says whether a process is still that process; pids are used again, start times are
    not."""
    import psutil

    def there() -> bool:
        try:
            process = psutil.Process(pid)
            return abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    return there


def main(arguments: list[str]) -> None:
    """Serve the folder named on the command line."""
    folder, pid, started = arguments
    parent_is_there = watch_parent(int(pid), float(started))
    Worker(Path(folder), parent_is_there).run()
    if not parent_is_there():  # which would have removed it, with the patient's CT in it
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
