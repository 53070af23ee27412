"""A queue of trainings: each waits, in a process of its own that outlives Slicer, until those before it end.

``python -m GASNetTrainLib.queue RUN`` waits for the trainings in the run folder's ``after.json`` and
then works on the run itself. No program has to stay open for a queue, and none can lose it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from GASNetLib.atomic import write_atomically
from GASNetLib.run.folder import RunFolder
from GASNetLib.run.process import Identity, is_alive, own_identity, write_identity

AFTER_FILE = "after.json"
POLL_S = 1.0


class Turn:
    """Which trainings a run waits for: the processes that its queue file names.

    Processes and not folders: one that was resumed meanwhile may itself be waiting for this run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._file = folder.path / AFTER_FILE

    def wait_for(self, before: Sequence[RunFolder]) -> None:
        """Set what it waits for; nothing: its turn is now.

        Raises:
            ResourceError: the folder cannot be written to.
        """
        working = {folder.path.name: folder.process() for folder in before}
        named = [{"name": name, **asdict(process)} for name, process in working.items() if process]
        if named:
            write_atomically(self._file, json.dumps(named).encode())
        else:
            self._file.unlink(missing_ok=True)

    def names(self) -> tuple[str, ...]:
        """Names of the trainings that it waits for; empty when its turn has come."""
        return tuple(name for name, process in self._before() if is_alive(process))

    def await_turn(self) -> bool:
        """Wait until all of them have ended, however they end; False if a stop was asked for meanwhile."""
        while self.names():
            if self._folder.stop_file.exists():
                return False
            time.sleep(POLL_S)
        return not self._folder.stop_file.exists()

    def _before(self) -> list[tuple[str, Identity]]:
        try:
            return [(named.pop("name"), Identity(**named)) for named in json.loads(self._file.read_bytes())]
        except (OSError, ValueError, TypeError, KeyError):
            return []


def main(path: str) -> int:
    """Wait, then train; the exit status is that of the training."""
    folder = RunFolder.open(path)
    turn = Turn(folder)
    write_identity(folder.process_file, own_identity())
    if not turn.await_turn():
        folder.process_file.unlink(missing_ok=True)
        return 0
    turn.wait_for([])
    from GASNetLib.training.session import work_on  # torch: not before it is needed

    return work_on(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
