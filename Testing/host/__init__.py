"""The test host: `qt`, `ctk` and `slicer` as a scripted module finds them in 3D Slicer, without its Qt layer.

PySide6 stands for Qt, slicer-core for MRML, and `pythonqt` gives them the manners of PythonQt: an
unmodified module file with its `.ui` loads and is clicked through. It proves wiring, not looks. A test
reads like this:

    def test_threshold_acts_at_once(host, load_module):
        widget = load_module("GASNetSegment")              # the Python widget, after setup() and enter()
        widget.ui.thresholdSlider.value = 0.3
        host.dialogs.answer("Replace the lesions", "Yes")  # to a question that will come
        widget.ui.segmentButton.click()
        host.wait_until(lambda: widget.result, seconds=60)
        assert "disk" in host.dialogs.take("error").text   # an error that must be shown
        host.picture(widget.parent, folder / "panel.png")

In a real Slicer the same tests run with `real_slicer.RealSlicer` in its place (`Testing/run_in_slicer.py`).

What Slicer would print and survive fails the test: an exception in a slot or observer, a signal or slot
that does not exist, a dialog that nobody announced, an error message that nobody looked at, a Python
thread, a widget's method that is not played here.

    pythonqt                       the manners of PythonQt, from Qt's meta-object
    qt, ctk                        the modules of these names
    stand_in                       what CTK's and Slicer's classes offer, and no more
    ctk_widgets, qmrml_widgets     the stand-ins; application: slicer.app, modules, main window, layout
    ui_loader                      .ui files, strict about names
    dialogs, faults                what a person would have seen, and what Slicer would have swallowed
    parameter_node, scripted_module, i18n, sample_data, slicer_util    parts of Slicer's Python
    read_headers, read_qt5         make the facts: widget_facts.json, not_in_qt5.json
"""
