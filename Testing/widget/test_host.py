"""The test host itself: each way in which PythonQt differs from PySide must bite here too."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk

SAMPLE = Path(__file__).resolve().parents[1] / "host" / "sample" / "HostSample.py"
UI = SAMPLE.parent / "Resources" / "UI" / "HostSample.ui"


@pytest.fixture
def sample(host):
    """The sample module, shown."""
    host.load_module(SAMPLE)
    return host.open_module("HostSample")


def add_volume(name="CT", filled=True):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    if filled:
        image = vtk.vtkImageData()
        image.SetDimensions(4, 4, 4)
        image.AllocateScalars(vtk.VTK_SHORT, 1)
        volume.SetAndObserveImageData(image)
    return volume


def load_changed_ui(tmp_path, old, new):
    text = UI.read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "changed.ui"
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    return slicer.util.loadUI(str(changed))


# --- PythonQt's manners --------------------------------------------------------------------------------


class TestProperties:
    def test_a_property_is_a_value(self, host):
        import qt

        button = qt.QPushButton("hello")
        assert button.text == "hello"
        with pytest.raises(TypeError, match="'str' object is not callable"):
            button.text()
        button.text = "bye"
        button.enabled = False
        assert button.text == "bye" and not button.enabled and not button.isEnabled()

    def test_setters_and_is_methods_exist(self, host):
        import qt

        box = qt.QCheckBox()
        box.setText("x")
        box.setChecked(True)
        assert box.isChecked() and box.checked and box.text == "x"

    def test_a_cpp_object_takes_no_new_attributes(self, host):
        import qt

        with pytest.raises(AttributeError):
            qt.QPushButton().foo = 3
        with pytest.raises(AttributeError):
            qt.QPushButton().foo

    def test_a_slot_can_not_be_overwritten_but_a_python_subclass_keeps_its_own_attributes(self, host):
        import qt

        class Panel(qt.QWidget):
            def __init__(self, parent=None):
                super().__init__(parent)
                self.count = 3

        assert Panel().count == 3
        with pytest.raises(AttributeError):
            qt.QPushButton().click = print

    def test_name_is_the_object_name_and_reaches_the_child(self, host):
        import qt

        panel = qt.QWidget()
        button = qt.QPushButton(panel)
        button.name = "go"
        assert button.objectName == "go"
        assert panel.go is button

    def test_a_wrong_type_is_refused(self, host):
        import qt

        with pytest.raises(AttributeError, match="does not accept"):
            qt.QSpinBox().value = "many"


class TestCalls:
    def test_no_keyword_arguments(self, host):
        import qt

        with pytest.raises(ValueError, match="kwargs"):
            qt.QPushButton().setText(text="x")
        with pytest.raises(ValueError, match="kwargs"):
            qt.QPushButton(text="x")

    def test_wrong_arguments_are_a_value_error(self, host):
        import qt

        with pytest.raises(ValueError):
            qt.QPushButton().setText("x", "y")

    def test_exec_has_an_underscore_too(self, host):
        import qt

        host.dialogs.answer("Options", lambda dialog: dialog.accept())
        dialog = qt.QDialog()
        dialog.windowTitle = "Options"
        assert dialog.exec_() == qt.QDialog.Accepted

    def test_processes(self, host):
        import qt

        got = []
        process = qt.QProcess()
        process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: got.append((code, status)))
        process.start(sys.executable, ["-c", "print('hello')"])
        host.wait_until(lambda: got, 60)
        assert got == [(0, qt.QProcess.NormalExit)]
        assert process.readAllStandardOutput().data().decode().strip() == "hello"
        assert qt.QProcess.startDetached(sys.executable, ["-c", "pass"]) is True
        assert qt.QProcess.startDetached("/no/such/program", []) is False

    def test_lists_come_as_tuples(self, host):
        import qt

        panel = qt.QWidget()
        button = qt.QPushButton(panel)
        assert panel.children() == (button,)

    def test_a_deleted_object_says_so(self, host):
        import qt

        button = qt.QPushButton()
        click = button.click
        button.delete()
        assert not button
        with pytest.raises(ValueError, match="destroyed"):
            click()
        with pytest.raises(ValueError, match="destroyed"):
            button.text


class TestTypes:
    def test_wrapped_classes_have_no_common_base(self, host):
        import qt

        button = qt.QPushButton()
        assert isinstance(button, qt.QPushButton)
        assert not isinstance(button, qt.QWidget)
        assert button.inherits("QWidget") and button.className() == "QPushButton"

    def test_enums_are_unscoped_ints(self, host):
        import qt

        assert qt.Qt.AlignLeft == qt.Qt.AlignmentFlag.AlignLeft == 1
        assert isinstance(qt.Qt.AlignLeft, int)
        assert (qt.QMessageBox.Yes | qt.QMessageBox.No) == 0x4000 | 0x10000
        label = qt.QLabel()
        label.alignment = qt.Qt.AlignRight
        assert label.alignment == qt.Qt.AlignRight
        label.setAlignment(int(qt.Qt.AlignTop | qt.Qt.AlignLeft))
        assert label.alignment & qt.Qt.AlignTop

    def test_a_byte_array_is_no_bytes(self, host):
        import qt

        data = qt.QByteArray(b"abc")
        with pytest.raises(TypeError):
            bytes(data)
        assert data.data().decode() == "abc"

    def test_an_object_without_parent_goes_with_its_last_name(self, host):
        import qt

        gone = []

        def start():
            timer = qt.QTimer()
            timer.connect("destroyed()", lambda: gone.append(True))
            timer.start(1)

        start()
        assert gone

    def test_a_python_subclass_stays_what_it_is_inside_its_parent(self, host):
        import qt

        class Panel(qt.QWidget):
            def __init__(self, parent):
                super().__init__(parent)
                self.count = 3

        window = qt.QWidget()
        Panel(window)
        assert window.children()[0].count == 3

    def test_python_subclasses_override_no_virtuals(self, host):
        import qt

        class Panel(qt.QWidget):
            def sizeHint(self):
                raise AssertionError("Qt asked Python")

        panel = Panel()
        panel.show()
        panel.adjustSize()

    def test_what_came_with_qt6_is_not_there(self, host):
        import qt

        assert not hasattr(qt, "QKeyCombination")
        assert not hasattr(qt.QProcess(), "startCommand")
        assert not qt.QCheckBox().connect("checkStateChanged(Qt::CheckState)", print)
        assert host.take_faults()

    def test_pyside_names_are_not_there(self, host):
        import qt

        for name in ("Signal", "Slot", "Property"):
            with pytest.raises(AttributeError):
                getattr(qt, name)


class TestSignals:
    def test_a_signature_is_checked(self, host):
        import qt

        button = qt.QPushButton()
        assert not button.connect("clicked(int)", print)
        assert "does not exist" in host.take_faults()[0]
        assert button.connect("clicked( bool )", print)

    def test_arguments_are_cut_to_what_a_function_takes(self, host):
        import qt

        got = []
        button = qt.QPushButton()
        button.checkable = True
        button.connect("clicked(bool)", lambda: got.append("none"))
        button.connect("clicked(bool)", lambda checked: got.append(checked))
        button.clicked.connect(lambda k=7: got.append(("k", k)))
        button.clicked.connect(lambda *args: got.append(args))
        button.click()
        assert got == ["none", True, ("k", True), (True,)]

    def test_a_partial_gets_all_arguments(self, host):
        import qt

        button = qt.QPushButton()
        button.connect("clicked(bool)", functools.partial(lambda text: None, "x"))
        button.click()
        assert "takes 1 positional argument" in host.take_faults()[0]

    def test_an_exception_in_a_slot_does_not_stop_qt_but_is_kept(self, host):
        import qt

        got = []
        button = qt.QPushButton()
        button.connect("clicked(bool)", lambda: 1 / 0)
        button.connect("clicked()", lambda: got.append(1))
        button.click()
        assert got == [1]
        assert "ZeroDivisionError" in host.take_faults()[0]

    def test_disconnect(self, host):
        import qt

        got = []
        button = qt.QPushButton()
        button.connect("clicked(bool)", got.append)
        button.disconnect("clicked(bool)", got.append)
        button.click()
        assert got == []

    def test_a_timer(self, host):
        import qt

        got = []
        timer = qt.QTimer()
        timer.interval = 1
        with pytest.raises(AttributeError):
            timer.singleShot = True
        timer.setSingleShot(True)
        timer.connect("timeout()", lambda: got.append("timer"))
        timer.start()
        qt.QTimer.singleShot(1, lambda: got.append("static"))
        host.wait_until(lambda: len(got) == 2, 5)

    def test_an_observer_that_fails_is_kept(self, host):
        slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, lambda caller, event: 1 / 0)
        add_volume()
        assert "ZeroDivisionError" in host.take_faults()[0]


# --- the .ui file --------------------------------------------------------------------------------------


class TestUi:
    def test_an_unknown_property_fails(self, host, tmp_path):
        with pytest.raises(RuntimeError, match="noneEnable"):
            load_changed_ui(tmp_path, 'name="noneEnabled"', 'name="noneEnable"')

    def test_an_unknown_class_fails(self, host, tmp_path):
        with pytest.raises(RuntimeError, match="ctkSlider"):
            load_changed_ui(tmp_path, 'class="ctkSliderWidget"', 'class="ctkSlider"')

    def test_a_connection_to_no_slot_fails(self, host, tmp_path):
        with pytest.raises(RuntimeError, match="setScene"):
            load_changed_ui(tmp_path, "setMRMLScene(vtkMRMLScene*)", "setScene(vtkMRMLScene*)")
        assert host.take_faults()

    def test_properties_of_stand_ins_are_set(self, sample):
        assert sample.ui.thresholdSlider.maximum == 1.0
        assert sample.ui.volumeSelector.nodeTypes == ("vtkMRMLScalarVolumeNode",)


# --- stand-ins -----------------------------------------------------------------------------------------


class TestStandIns:
    def test_a_collapsed_section_gives_its_children_back(self, host):
        import ctk
        import qt

        button, child = ctk.ctkCollapsibleButton(), qt.QLabel("inside")
        qt.QVBoxLayout(button).addWidget(child)
        button.show()
        for again in range(2):
            button.collapsed = True
            assert button.collapsed and not button.checked and child.isHidden()
            button.click() if again else setattr(button, "collapsed", False)
            assert not button.collapsed and button.checked and not child.isHidden()

    def test_only_what_the_header_shows_to_python(self, host):
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        with pytest.raises(AttributeError):
            selector.setNodeTypes(["vtkMRMLScalarVolumeNode"])
        with pytest.raises(AttributeError):
            selector.nodes()
        with pytest.raises(TypeError):
            selector.currentNodeID()

    def test_a_method_checks_its_arguments(self, host):
        selector = slicer.qMRMLNodeComboBox()
        with pytest.raises(ValueError):
            selector.setMRMLScene("scene")
        with pytest.raises(ValueError):
            selector.setMRMLScene()

    def test_node_selector_follows_the_scene(self, host):
        got = []
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.noneEnabled = True
        selector.setMRMLScene(slicer.mrmlScene)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", got.append)
        volume = add_volume()
        assert selector.currentNode() is None and selector.nodeCount() == 1
        selector.setCurrentNode(volume)
        assert got == [volume] and selector.currentNodeID == volume.GetID()
        slicer.mrmlScene.RemoveNode(volume)
        assert selector.currentNode() is None and got[-1] is None

    @pytest.mark.parametrize(("actions", "chosen"), [(True, False), (False, True)])
    def test_a_node_that_comes_is_chosen_where_there_is_nothing_else_to_choose(self, host, actions, chosen):
        selector = slicer.qMRMLNodeComboBox()
        selector.addEnabled = selector.removeEnabled = actions
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.setMRMLScene(slicer.mrmlScene)
        volume = add_volume()
        assert (selector.currentNode() is volume) is chosen

    def test_a_scene_that_comes_with_nodes_gives_the_first(self, host):
        first, _ = add_volume("A"), add_volume("B")
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.setMRMLScene(slicer.mrmlScene)
        assert selector.currentNode() is first

    def test_segment_editor_on_real_nodes(self, host):
        volume = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16))
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lesions")
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        lesions = segmentation.GetSegmentation().AddEmptySegment("lesions")
        mask = np.zeros((4, 5, 6), np.uint8)
        mask[1, 2, 3] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, lesions, volume)
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
        editor.setSegmentationNode(segmentation)
        editor.setEffectNameOrder(["Erase", "Paint"])
        editor.unorderedEffectsVisible = False
        assert editor.availableEffectNames() == ("Erase", "Paint")
        editor.setActiveEffectByName("Paint")
        editor.activeEffect().setParameter("BrushSphere", 1)
        assert editor.activeEffect().name == "Paint"
        assert editor.mrmlSegmentEditorNode().GetAttribute("Paint.BrushSphere") == "1"
        editor.saveStateForUndo()
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask * 0, segmentation, lesions, volume)
        editor.undo()
        assert slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, lesions, volume).sum() == 1
        editor.setActiveEffect(None)
        assert editor.activeEffect() is None

    def test_tables_show_segments_and_cells(self, host):
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        view = slicer.qMRMLSegmentsTableView()
        view.setMRMLScene(slicer.mrmlScene)
        view.setSegmentationNode(segmentation)
        segmentation.GetSegmentation().AddEmptySegment("a", "A")
        assert view.segmentCount == 1 and view.displayedSegmentIDs() == ("a",)
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        table.AddColumn(vtk.vtkStringArray())
        table.AddEmptyRow()
        cells = slicer.qMRMLTableView()
        cells.setMRMLTableNode(table)
        assert cells.model().rowCount() == 1

    def test_data_nodes_come_into_the_subject_hierarchy(self, host):
        volume = add_volume()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        assert hierarchy.GetItemName(hierarchy.GetItemByDataNode(volume)) == "CT"

    def test_settings_are_one(self, host):
        import qt

        qt.QSettings().setValue("GASNet/device", "cpu")
        assert slicer.app.settings().value("GASNet/device") == "cpu"
        assert slicer.util.settingsValue("GASNet/device", "auto") == "cpu"

    def test_what_the_host_does_not_play_fails_by_name(self, host):
        with pytest.raises(NotImplementedError, match="editCurrentNode"):
            slicer.qMRMLNodeComboBox().editCurrentNode()
        assert host.take_faults()


# --- dialogs -------------------------------------------------------------------------------------------


class TestDialogs:
    def test_a_question_gets_the_answer_given_in_advance(self, host):
        import qt

        host.dialogs.answer("Replace", "No")
        assert slicer.util.confirmYesNoDisplay("Replace the lesions?") is False
        host.dialogs.answer("Really", "Yes")
        assert qt.QMessageBox.question(None, "Really", "Do it?") == qt.QMessageBox.Yes

    def test_an_unexpected_question_fails(self, host):
        assert slicer.util.confirmOkCancelDisplay("Delete all?") is False
        assert "Delete all?" in host.take_faults()[0]

    def test_an_error_must_be_looked_at(self, host):
        slicer.util.errorDisplay("disk full")
        assert [dialog.text for dialog in host.dialogs.untaken("error")] == ["disk full"]
        assert host.dialogs.take("error").text == "disk full"

    def test_nothing_is_installed(self, host):
        with pytest.raises(RuntimeError, match="torch"):
            slicer.util.pip_install("torch")
        assert host.dialogs.take("forbidden")


# --- a module ------------------------------------------------------------------------------------------


class TestModule:
    def test_parameters_and_widgets_follow_each_other(self, sample):
        volume = add_volume()
        assert not sample.ui.applyButton.enabled
        sample.ui.volumeSelector.setCurrentNode(volume)
        assert sample.parameters.volume is volume and sample.ui.applyButton.enabled
        sample.parameters.threshold = 0.25
        assert sample.ui.thresholdSlider.value == 0.25
        sample.ui.deviceBox.currentIndex = 1
        assert sample.parameters.device.value == "cpu"
        sample.ui.lungsBox.checked = False
        assert sample.parameters.showLungs is False

    def test_a_click_runs_the_logic(self, sample):
        sample.parameters.volume = add_volume("Thorax")
        sample.ui.applyButton.click()
        assert sample.ui.resultLabel.text == "Thorax at 0.50"

    def test_a_shown_error_is_taken_by_the_test(self, host, sample):
        sample.parameters.volume = add_volume(filled=False)
        sample.ui.applyButton.click()
        assert "the volume is empty" in host.dialogs.take("error").text

    def test_enter_exit_and_cleanup(self, host, sample):
        assert sample.calls == ["enter"]
        host.leave_module()
        assert sample.calls == ["enter", "exit"]
        slicer.util.reloadScriptedModule("HostSample")
        assert sample.calls == ["enter", "exit", "cleanup"]
        assert slicer.modules.HostSampleWidget is not sample

    def test_scene_close(self, host, sample):
        sample.parameters.volume = add_volume()
        slicer.mrmlScene.Clear()
        assert sample.parameters is None
        host.leave_module()
        host.open_module("HostSample")
        assert sample.parameters.volume is None and sample.parameters.threshold == 0.5

    def test_module_attributes_and_self_test(self, host, sample):
        assert slicer.modules.hostsample.title == "Host sample"
        assert slicer.util.getModuleLogic("HostSample") is sample.logic
        assert slicer.util.getModuleWidget("HostSample") is sample
        slicer.selfTests["HostSample"]()

    def test_a_python_thread_of_a_module_fails(self, host, sample):
        code = (
            "import threading\nthread = threading.Thread(target=lambda: None)\nthread.start()\nthread.join()"
        )
        exec(code, vars(__import__("HostSample")))
        assert "starves" in host.take_faults()[0]

    def test_quitting_tells_the_module_in_the_order_of_slicer(self, host, sample):
        slicer.app.connect("lastWindowClosed()", lambda: sample.calls.append("closed"))
        slicer.app.connect("aboutToQuit()", lambda: sample.calls.append("quit"))
        assert host.close() == []
        assert sample.calls == ["enter", "exit", "closed", "closed", "cleanup", "quit"]

    def test_layout_shows_plots_where_it_has_some(self, host):
        manager = slicer.app.layoutManager()
        assert manager.plotViewCount == 0
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
        chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", "Losses")
        slicer.modules.plots.logic().ShowChartInLayout(chart)
        assert manager.plotWidget(0).mrmlPlotViewNode().GetPlotChartNode() is chart

    def test_without_a_main_window(self, windowless_host):
        windowless_host.load_module(SAMPLE)
        widget = slicer.modules.hostsample.widgetRepresentation().self()
        assert slicer.app.layoutManager() is None and slicer.util.mainWindow() is None
        assert widget.ui.applyButton.text == "Apply"

    def test_picture(self, host, sample, tmp_path):
        picture = host.picture(slicer.modules.hostsample.widgetRepresentation(), tmp_path / "panel.png")
        assert picture.stat().st_size > 1000
