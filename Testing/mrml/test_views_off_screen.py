"""A result drawn by Slicer's own displayable managers, without a screen: lesions in the slice and in 3-D."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
import vtk  # noqa: E402
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from GASNetLib.export import segment_meaning  # noqa: E402
from GASNetSegmentLib.result import LESION  # noqa: E402

PIXELS = 320


@pytest.fixture
def pictures(tmp_path, scene):
    """Folder for the pictures; GASNET_PICTURES keeps them where a person can look at them."""
    if hasattr(slicer, "app"):
        pytest.skip("a real Slicer has its own views")
    yield tmp_path
    kept = os.environ.get("GASNET_PICTURES")
    if kept:
        for path in tmp_path.glob("*.png"):
            shutil.copy(path, kept)


def draw(factory, view_node, managers: tuple[str, ...], path, application) -> np.ndarray:
    """Render a view node by displayable managers; RGB (row, column, 3)."""
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(PIXELS, PIXELS)
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    factory.SetMRMLApplicationLogic(application)
    for name in managers:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    group.SetMRMLDisplayableNode(view_node)
    if view_node.IsA("vtkMRMLViewNode"):
        renderer.SetBackground(1, 1, 1)
        renderer.ResetCamera()
        renderer.GetActiveCamera().SetViewUp(0, 0, 1)
        renderer.GetActiveCamera().SetPosition(
            *np.add(renderer.GetActiveCamera().GetFocalPoint(), [0, 900, 0])
        )
        renderer.ResetCameraClippingRange()
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()
    image = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(PIXELS, PIXELS, 3)
    group.SetMRMLDisplayableNode(None)
    return image[::-1].astype(int)


def redness(image: np.ndarray) -> np.ndarray:
    """How much more red than green: grey is 0, the lesion's colour is not."""
    return image[..., 0] - image[..., 1]


@pytest.fixture
def application(scene):
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(scene)
    return application


def test_lesion_is_drawn_in_3d_and_the_lungs_are_not(scene, segmented, pictures, application):
    segmented.CreateClosedSurfaceRepresentation()
    view = scene.AddNewNodeByClass("vtkMRMLViewNode", "View1")
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    managers = ("vtkMRMLSegmentationsDisplayableManager3D",)

    shown = draw(factory, view, managers, pictures / "three-d.png", application)
    segmented.GetDisplayNode().SetSegmentVisibility(LESION, False)
    hidden = draw(factory, view, managers, pictures / "three-d-hidden.png", application)

    assert segment_meaning.LESION.colour[0] > segment_meaning.LESION.colour[1]
    assert (redness(shown) > 60).sum() > 500
    assert np.ptp(hidden) == 0  # nothing is left: the lungs are hidden


def test_lesion_is_drawn_in_the_slice_where_it_lies(scene, segmented, phantom, pictures, application):
    row = int(phantom.lesions.sum(axis=(1, 2)).argmax())
    view = slicer.vtkMRMLSliceNode()
    view.SetLayoutName("Red")
    view.SetName("Red")
    view = scene.AddNode(view)
    view.SetOrientationToAxial()
    view.SetFieldOfView(420, 420, 1)
    view.SetDimensions(PIXELS, PIXELS, 1)
    z = phantom.geometry.origin[2] + row * phantom.geometry.spacing[2]
    view.SetSliceOffset(z)
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()

    image = draw(
        factory, view, ("vtkMRMLSegmentationsDisplayableManager2D",), pictures / "slice.png", application
    )

    drawn = np.argwhere(redness(image) > 20)
    expected = np.argwhere(phantom.lesions[row])
    assert len(drawn) > 100
    # Axial view: anterior is up, the patient's right is left, which is how the array lies.
    size_mm = 420 / PIXELS
    spacing = phantom.geometry.spacing
    centre_mm = (drawn.mean(axis=0) - PIXELS / 2) * size_mm
    expected_mm = (expected.mean(axis=0) - 47.5) * [spacing[1], spacing[0]]
    assert centre_mm == pytest.approx(expected_mm, abs=8)
