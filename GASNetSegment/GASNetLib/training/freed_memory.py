"""Memory that tensors on a CPU leave behind, kept for the next ones (glibc; elsewhere nothing changes)."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of ``mallopt`` in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let the C library keep what this process frees.

    Otherwise the pages of every large tensor are asked from the system anew, which clears them: a fifth of
    the processor time of an iteration.
    """
    if _is_glibc():
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, -1)


def return_freed_memory() -> None:
    """Give back to the system what was kept, once: when memory is short others need it, libraries too."""
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
