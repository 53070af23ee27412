"""Memory that tensors on a CPU leave behind, kept for the next ones."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of ``mallopt`` in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let the C library keep what this process frees, until it ends (glibc; elsewhere nothing changes).

    Otherwise the pages of every large tensor are asked from the system anew, which clears them: a fifth of
    the processor time of an iteration.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, -1)
