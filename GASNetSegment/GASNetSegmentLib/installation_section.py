"""What is missing on this computer, installed with consent; and whether the computer can do the job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import GASNetError, ResourceError

from . import installation, settings
from .interpreter import python_executable, worker_environment
from .panel import Panel
from .worker_client import Request


class InstallationSection:
    """The panel on top where something is missing, and *Settings and this computer*."""

    def __init__(
        self,
        panel: Panel,
        on_installed: Callable[[bool], None],
        options: Callable[[], dict],
        on_folders: Callable,
    ) -> None:
        self._panel, self._ui = panel, panel.ui
        self._on_installed, self._options, self._on_folders = on_installed, options, on_folders
        self._unloadable: set[str] = set()
        panel.on_broken_package = self._on_broken_package
        self._ui.installButton.connect("clicked(bool)", self._install)
        self._ui.installFromFolderButton.connect("clicked(bool)", self._install_from_folder)
        self._ui.checkButton.connect("clicked(bool)", self._check)
        self._ui.modelFolderEdit.currentPath = str(settings.model_folder())
        self._ui.caseFolderEdit.currentPath = str(settings.case_folder())
        self._ui.modelFolderEdit.connect("currentPathChanged(QString)", self._keep_folders)
        self._ui.caseFolderEdit.connect("currentPathChanged(QString)", self._keep_folders)

    def update(self) -> None:
        """Show what is missing, if anything is."""
        missing = self._missing()
        self._ui.installationFrame.visible = bool(missing)
        self._ui.installationLabel.text = _(
            "These Python packages have to be installed before anything can be computed: {packages}."
            " They come from the internet once; afterwards no network is needed."
        ).format(packages=", ".join(f"{package.name} ({package.problem})" for package in missing))
        self._ui.checkButton.enabled = not missing
        self._on_installed(not missing)

    def _missing(self) -> list[installation.Package]:
        return installation.missing(self._unloadable)

    def _on_broken_package(self, name: str) -> None:
        """The worker found that a package is there and cannot be loaded."""
        self._unloadable.add(name)
        self.update()

    def _install(self) -> None:
        question = _(
            "Download and install {packages}? This may take some minutes and some gigabytes of disk."
        )
        names = ", ".join(package.name for package in self._missing())
        if slicer.util.confirmOkCancelDisplay(question.format(packages=names), _("Install")):
            self._attempt(_install_online)

    def _install_from_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(
            self._ui.installationFrame, _("Folder with the wheel files of torch, safetensors and psutil")
        )
        if folder:
            self._attempt(lambda names: installation.install(slicer.util.pip_install, names, Path(folder)))

    def _attempt(self, install: Callable[[list[str]], None]) -> None:
        """Install what is missing in place of what is broken, then try whether torch can really be loaded."""
        self._panel.clear_problem()
        if not self._panel.client.busy:
            self._panel.client.close()  # it would hold files that are replaced, and know the old ones
        names = [package.name for package in self._missing()]
        self._ui.installationLabel.text = _(
            "Installing {packages}. This may take minutes, and Slicer does not answer meanwhile."
        ).format(packages=", ".join(names))
        slicer.app.processEvents()  # or else it would not be seen
        with self._panel.problems_shown(), slicer.util.WaitCursor():
            installation.remove_broken(slicer.util.pip_uninstall, names)
            install(names)
            self._unloadable.clear()
            engine = Path(installation.__file__).parents[1]
            executable = python_executable(slicer.app.slicerHome)
            problem = installation.probe_torch(executable, worker_environment(engine))
            if problem:
                self._unloadable.add(installation.TORCH)
                raise ResourceError(
                    _("PyTorch was installed, but it cannot be loaded ({problem}).").format(problem=problem),
                    _("Install again: that replaces it."),
                )
        self.update()

    # --- this computer ------------------------------------------------------------------------------------

    def _check(self) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            self._ui.checkButton.enabled = False
            self._ui.checkLabel.text = _("Checking")
            request = Request(self._checked, self._check_failed, self._check_ended, self._check_progress)
            self._panel.ask(request, "check", **self._options())

    def _checked(self, answer: dict, read) -> None:
        self._check_ended()
        versions = ", ".join(f"{name} {version}" for name, version in answer["versions"].items())
        gpu = answer["gpu"] or _("works")
        self._ui.checkLabel.text = _(
            "Works: a small synthetic CT took {seconds} s on {device}. GPU: {gpu}. {versions}."
        ).format(seconds=answer["seconds"], device=answer["device"], gpu=gpu, versions=versions)

    def _check_progress(self, stage: str, share: float) -> None:
        self._ui.checkLabel.text = stage

    def _check_failed(self, error: GASNetError, details: str) -> None:
        self._check_ended()
        self._panel.show_problem(error, details)

    def _check_ended(self) -> None:
        self._ui.checkButton.enabled = True
        self._ui.checkLabel.text = ""

    def _keep_folders(self) -> None:
        settings.keep(settings.MODEL_FOLDER, self._ui.modelFolderEdit.currentPath)
        settings.keep(settings.CASE_FOLDER, self._ui.caseFolderEdit.currentPath)
        self._on_folders()


def _install_online(names: list[str]) -> None:
    """Install packages from the internet.

    Raises:
        ResourceError: something could not be installed, in words.
    """
    if installation.TORCH in names:
        _install_torch()
    others = [name for name in names if name != installation.TORCH]
    installation.install(slicer.util.pip_install, others)


def _install_torch() -> None:
    """Let the PyTorch extension choose the build that fits this computer's driver.

    Raises:
        ResourceError: the extension is missing, or its installation failed.
    """
    try:
        import PyTorchUtils
    except ImportError as error:
        raise ResourceError(
            _("The extension PyTorch is not installed in this Slicer."),
            _("Install it with the Extensions Manager, or install from a folder of wheel files."),
        ) from error
    try:
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=False)
    except Exception as error:  # of pip, of the network, of a torch that cannot be loaded
        raise ResourceError(_("PyTorch could not be installed."), installation.ADVICE) from error
    if torch is None:
        raise ResourceError(_("PyTorch could not be installed."), installation.ADVICE)
