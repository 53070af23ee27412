"""GASNet engine: chest CT in, lesions out; training from volume labels. Plain Python, no Slicer.

Nothing is imported here, so that discovering a Slicer module stays instant; import the parts by name:
``from GASNetLib.volume import read_volume``.
"""
