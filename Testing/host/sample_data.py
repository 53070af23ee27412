"""`SampleData`: where modules register their sample data. Nothing is fetched by URL."""

from __future__ import annotations

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
        pass

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
        """Slicer fetches the URIs here, also of a source with a downloader of its own."""
        raise RuntimeError(f"The test host downloads nothing: {source.uris}")

    def downloadSamples(self, sampleName: str) -> Any:
        return self.downloadFromSource(self.sourceForSampleName(sampleName))

    def downloadSample(self, sampleName: str) -> Any:
        return self.downloadSamples(sampleName)[0]
