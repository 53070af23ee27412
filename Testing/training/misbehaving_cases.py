"""What a case can do to the process that reads it; a module of its own, for other processes import it."""

from __future__ import annotations

import os
import time

from GASNetLib.errors import InputError, ResourceError


def behave(case):
    if case == "refuse":
        raise InputError("It is broken.", "Repair it.")
    if case == "bug":
        raise KeyError("colour")
    if case == "die":
        os._exit(7)
    if case == "hog":
        raise MemoryError
    if case == "disk full":
        raise ResourceError("The disk is full.")
    if case == "sleep":
        time.sleep(60)
    return case, os.getpid()
