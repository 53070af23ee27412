"""States of a training, :data:`GASNetLib.run.folder.STATES` and ``starting``, by what can be done."""

LIVING = ("starting", "running", "stopping")
"""A process works on it."""

RESUMABLE = ("new", "stopped", "interrupted", "failed")
"""A process may be started."""
