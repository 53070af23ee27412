"""Which models there are on this computer, and which one is in use: the starter and those in one folder.

A model that is deployed never overwrites another. The choice and its history stand in the folder itself, so
that every program that knows the folder agrees on it.

The model files are read by :mod:`GASNetLib.model`, imported late: Slicer shows the module before the packages
that it needs are installed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_atomically, written_aside
from .errors import ModelError, ResourceError

if TYPE_CHECKING:
    from .model import ModelInfo

CHOICE_FILE = "in-use.json"
LOCK_FILE = "in-use.lock"
PATIENCE_S, POLL_S = 20.0, 0.05
"""How long a change waits for another one, which copies a model at most."""


@dataclass(frozen=True)
class ModelStore:
    """The models of one folder, and the starter that came with the program."""

    folder: Path

    def models(self) -> list[Path]:
        """Model files, the starter first; a damaged one is listed too, so that it can be complained about."""
        from .model import find_models

        starter = _starter()
        return ([starter] if starter else []) + find_models(self.folder)

    def in_use(self) -> Path:
        """The model to take where none is named.

        Raises:
            ModelError: there is none at all, or which one was chosen cannot be read.
        """
        for name in reversed(self._history()):
            if name and (self.folder / name).is_file():
                return self.folder / name
            if not name and _starter():
                break
        models = [_starter()] if _starter() else self.models()
        if not models:
            raise ModelError(
                "There is no model on this computer.",
                "Put a model file into the model folder, or reinstall GASNet.",
            )
        return models[0]

    def use(self, path: Path) -> None:
        """Put a model of this store in use; the one before can be had back with :meth:`roll_back`.

        Raises:
            ModelError: no model, or not one of this store. ResourceError: the folder cannot be written to.
        """
        from .model import read_model_info

        read_model_info(path)
        if path != _starter() and path.resolve().parent != self.folder.resolve():
            raise ModelError(f"{path.name} does not lie in the model folder.", "Deploy it first.")
        with self._alone():
            self._choose(path)

    def deploy(self, path: Path) -> Path:
        """Copy a model into the folder under a name that is free, and put it in use.

        Returns:
            The copy; where the same model (by its hash) is there already, that one.

        Raises:
            ModelError: no model. ResourceError: the folder cannot be written to.
        """
        from .model import read_model_info

        info = read_model_info(path)
        with self._alone():
            target = self._same(info) or self._copied(path)
            self._choose(target)
        return target

    def roll_back(self) -> Path:
        """Put the model in use that was so before the present one.

        Raises:
            ModelError: there was none before, or which one cannot be read. ResourceError: the folder cannot
                be written to.
        """
        with self._alone():
            history = self._history()
            if not history:
                raise ModelError(
                    "No other model was in use before this one.", "Choose a model from the list."
                )
            self._remember(history[:-1])
            return self.in_use()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While it lasts no other program changes what is in the folder.

        Raises:
            ResourceError: the folder cannot be written to, or another program does not come to an end.
        """
        from .run.errors import RunError
        from .run.process import exclusive

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                f"The model folder {self.folder} cannot be written to ({error.strerror}).",
                "Choose another model folder in the settings.",
            ) from error
        end = time.monotonic() + PATIENCE_S
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(exclusive(self.folder / LOCK_FILE))
                    break
                except RunError as error:
                    if time.monotonic() > end:
                        raise ResourceError(
                            f"Another program is changing the models in {self.folder}.", "Try again."
                        ) from error
                time.sleep(POLL_S)
            yield

    def _choose(self, path: Path) -> None:
        """Note a model as the one in use; that mends a choice that cannot be read."""
        try:
            history = self._history()
        except ModelError:
            history = []
        if path != self._current():
            self._remember([*history, "" if path == _starter() else path.name])

    def _current(self) -> Path | None:
        try:
            return self.in_use()
        except ModelError:
            return None

    def _same(self, info: ModelInfo) -> Path | None:
        from .model import find_models, read_model_info

        for path in find_models(self.folder):
            try:
                if read_model_info(path).sha256 == info.sha256:
                    return path
            except ModelError:
                continue
        return None

    def _copied(self, path: Path) -> Path:
        from .model import ENDING

        target, number = self.folder / path.name, 2
        while target.exists():
            target = self.folder / f"{path.name.removesuffix(ENDING)}-{number}{ENDING}"
            number += 1
        with written_aside(target) as aside:
            shutil.copyfile(path, aside)
        return target

    def _history(self) -> list[str]:
        """File names that were put in use, oldest first; an empty name stands for the starter.

        Raises:
            ModelError: they cannot be read.
        """
        try:
            names = json.loads((self.folder / CHOICE_FILE).read_text(encoding="utf-8"))["history"]
            return [name for name in names if isinstance(name, str)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"Which model is in use cannot be read: {self.folder / CHOICE_FILE} is damaged.",
                "Choose a model from the list.",
            ) from error

    def _remember(self, history: list[str]) -> None:
        write_atomically(self.folder / CHOICE_FILE, json.dumps({"history": history}).encode())


def _starter() -> Path | None:
    from .model import starter_model_path

    return starter_model_path()
