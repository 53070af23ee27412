"""``python -m GASNetLib.training RUN [DEVICE]``: the worker process of a training."""

from __future__ import annotations

import sys

from .worker import work_in_turn

if __name__ == "__main__":
    sys.exit(work_in_turn(*sys.argv[1:3]))
