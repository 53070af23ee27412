"""Training of GASNet: :mod:`.settings` and :mod:`.presets` say what, :mod:`.terms` and :mod:`.objective` are
the paper's objective, :mod:`.trainer` is the loop. What a run leaves on disk is :mod:`GASNetLib.run`'s part.
"""
