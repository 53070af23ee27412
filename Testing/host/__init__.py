"""The test host: `qt`, `ctk` and `slicer` as a scripted module finds them in 3D Slicer, without Slicer's Qt layer.

PySide6 stands for Qt, slicer-core for MRML, and `pythonqt` gives them the manners of PythonQt. See `session.Host`.
"""
