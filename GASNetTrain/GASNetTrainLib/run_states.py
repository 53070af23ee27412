"""States of a training by what can be done: those of ``GASNetLib.run.folder``, and ``starting``."""

LIVING = ("waiting", "starting", "running", "stopping")
"""A process works on it, or waits for its turn."""

RESUMABLE = ("new", "stopped", "interrupted", "failed")
"""A process may be started."""
