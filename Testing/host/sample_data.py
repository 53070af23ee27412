"""`SampleData`: where modules register their sample data, and what fetches it."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path
from typing import Any

import slicer

__all__ = ["SampleDataLogic", "SampleDataSource"]


class SampleDataSource:
    """One entry of the Sample Data module, with the checks that Slicer makes."""

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFileProperties: dict | None = None,
    ):
        several = isinstance(uris, (list, tuple))
        count = len(uris) if several else 1

        def fields(value: Any) -> Any:
            if not several:
                return [value] if isinstance(uris, str) else value
            return [value] * count if value is None else value

        self.sampleName, self.sampleDescription = sampleName, sampleDescription or sampleName
        self.uris = list(uris) if several else [uris] if isinstance(uris, str) else uris
        self.fileNames = fileNames if several else fields(fileNames)
        self.nodeNames, self.loadFiles = fields(nodeNames), fields(loadFiles)
        self.loadFileTypes, self.checksums = fields(loadFileTypes), fields(checksums)
        self.customDownloader, self.thumbnailFileName = customDownloader, thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}
        lengths = {
            len(field)
            for field in (
                self.uris,
                self.fileNames,
                self.nodeNames,
                self.loadFiles,
                self.loadFileTypes,
                self.checksums,
            )
        }
        if len(lengths) != 1:
            raise ValueError(f"All fields of the sample data source {sampleName} must have the same length")


class SampleDataLogic:
    """Registers sources; a click on one runs its own downloader (`Host.click_sample`)."""

    def __init__(self, logMessage: Any = None):
        self.messages: list[str] = []

    def logMessage(self, message: str, logLevel: int = 10) -> None:
        self.messages.append(message)

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict | None = None,
        checksums: Any = None,
    ) -> None:
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFiles=loadFiles,
            loadFileProperties=loadFileProperties,
            checksums=checksums,
        )
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        if not any(vars(source) == vars(known) for known in sources):
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        sources = getattr(slicer.modules, "sampleDataSources", {})
        return sources if category is None else sources.get(category, [])

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        for sources in getattr(slicer.modules, "sampleDataSources", {}).values():
            for source in sources:
                if source.sampleName == sampleName:
                    return source
        return None

    def downloadFromSource(self, source: SampleDataSource, *args: Any) -> Any:
        """Fetch the volumes of a source into the cache and load them; those that fail are left out, as in
        Slicer. A file of another checksum than the source's is removed."""
        nodes = []
        cache = Path(slicer.app.cachePath)
        cache.mkdir(parents=True, exist_ok=True)
        for uri, name, node_name, checksum in zip(
            source.uris, source.fileNames, source.nodeNames, source.checksums, strict=True
        ):
            try:
                urllib.request.urlretrieve(uri, cache / name)
            except OSError as error:
                self.logMessage(f"Download failed: {error}", 40)
                continue
            if checksum and f"SHA256:{hashlib.sha256((cache / name).read_bytes()).hexdigest()}" != checksum:
                self.logMessage("Checksum verification failed.")
                (cache / name).unlink()
                continue
            nodes.append(_volume(cache / name, node_name))
        return nodes

    def downloadSamples(self, sampleName: str) -> Any:
        return self.downloadFromSource(self.sourceForSampleName(sampleName))

    def downloadSample(self, sampleName: str) -> Any:
        return self.downloadSamples(sampleName)[0]


def _volume(path: Path, name: str) -> Any:
    """Load a volume as Slicer's reader does: without the dialogs and views that it has besides."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    if not storage.ReadData(node):
        raise RuntimeError(f"{path} cannot be read")
    return node
