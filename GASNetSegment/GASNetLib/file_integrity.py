"""Whether an image file is whole. ITK reads damaged NIfTI, NRRD and MetaImage files without a word.

It fills what is missing of a NIfTI file with 0 and ignores the checksums of compressed voxels.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import InputError

_BLOCK = 2**20
_LARGEST_PIECE = 2**24
_GZIP_OR_ZLIB = 47  # zlib tells them apart by their first bytes
_GZIP_MAGIC = b"\x1f\x8b"
_NIFTI_HEADER = 348
_DATA_ELSEWHERE = re.compile(rb"^(data ?file|(line|byte) skip):", re.MULTILINE | re.IGNORECASE)
_NRRD_COMPRESSED = re.compile(rb"^encoding:\s*gz", re.MULTILINE | re.IGNORECASE)
_META_COMPRESSED = re.compile(rb"^CompressedData\s*=\s*True", re.MULTILINE | re.IGNORECASE)
_NRRD_HEADER = re.compile(rb"\ANRRD.*?\r?\n\r?\n", re.DOTALL)
_META_HEADER = re.compile(rb"\A.*?^ElementDataFile\s*=\s*LOCAL\s*?\n", re.DOTALL | re.MULTILINE)


def refuse_damaged(path: Path) -> None:
    """Refuse an image file that is cut off, or whose compressed voxels do not match their checksum.

    Compressed files are unpacked for it, in small pieces; 100 MB of CT take about 0.3 s. What is neither
    NIfTI nor a single NRRD or MetaImage file passes.

    Raises:
        InputError: the file is damaged.
        OSError: it cannot be read.
    """
    name = path.name.lower()
    try:
        with path.open("rb") as file:
            if name.endswith(".nii.gz"):
                _check_nifti(_unpacked(file))
            elif name.endswith(".nii"):
                _check_nifti(_blocks(file))
            elif name.endswith((".nrrd", ".mha")):
                _check_voxels(file)
    except (EOFError, zlib.error, struct.error) as error:
        cause = f"{path.name} is damaged: voxels are missing or altered."
        raise InputError(cause, "Copy or download it again.") from error


def _check_voxels(file: BinaryIO) -> None:
    """Unpack compressed voxels to the end. Of uncompressed ones ITK itself notices that some are missing."""
    start = file.read(_BLOCK)
    if header := _NRRD_HEADER.match(start):
        compressed = _NRRD_COMPRESSED.search(header[0]) and not _DATA_ELSEWHERE.search(header[0])
    else:
        header = _META_HEADER.match(start)
        compressed = header and _META_COMPRESSED.search(header[0])
    if compressed:
        file.seek(header.end())
        for _ in _unpacked(file):
            pass


def _check_nifti(pieces: Iterator[bytes]) -> None:
    header = b""
    length = 0
    for piece in pieces:
        length += len(piece)
        if len(header) < _NIFTI_HEADER:
            header += piece[:_NIFTI_HEADER]
    if length < _announced_length(header):
        raise EOFError


def _announced_length(header: bytes) -> int:
    """Where the last voxel ends, by a NIfTI-1 or NIfTI-2 header (https://nifti.nimh.nih.gov)."""
    order = "<" if struct.unpack_from("<i", header)[0] in (348, 540) else ">"

    def numbers(layout: str, start: int) -> tuple:
        return struct.unpack_from(order + layout, header, start)

    if numbers("i", 0)[0] == 540:
        bits, dimensions, start = *numbers("h", 14), numbers("8q", 16), *numbers("q", 168)
    else:
        bits, dimensions, start = *numbers("h", 72), numbers("8h", 40), *numbers("f", 108)
    used = dimensions[1 : 1 + dimensions[0]]
    return int(start) + math.prod(max(1, n) for n in used) * bits // 8


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Pieces of what is packed in a gzip file (of one or more members) or a zlib stream.

    Raises:
        EOFError: it is cut off.
        zlib.error: it does not match its checksum.
    """
    stream = zlib.decompressobj(_GZIP_OR_ZLIB)
    for block in _blocks(file):
        while block:
            if stream.eof:
                if not block.startswith(_GZIP_MAGIC):
                    return  # padding behind the end
                stream = zlib.decompressobj(_GZIP_OR_ZLIB)
            yield stream.decompress(block, _LARGEST_PIECE)
            block = stream.unconsumed_tail or stream.unused_data
    yield stream.flush()
    if not stream.eof:
        raise EOFError
