"""``python -m GASNetLib.training RUN [DEVICE]``: the worker process of a training."""

from __future__ import annotations

import sys

from .session import work_on

if __name__ == "__main__":
    sys.exit(work_on(*sys.argv[1:3]))
