"""Results as files: voxels, geometry, meaning and origin come back, in Slicer and DICOM too; none is half."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GASNetLib.errors import InputError, ResourceError
from GASNetLib.export import write_lungs, write_probability, write_segmentation
from GASNetLib.export.segment_meaning import LESION, RIGHT_LUNG
from GASNetLib.export.slicer_segmentation import _name_layers_a_list
from GASNetLib.geometry import Geometry
from GASNetLib.lungs import Lungs
from GASNetLib.model import ModelInfo
from GASNetLib.phantom import make_phantom, write_phantom
from GASNetLib.segment import Segmentation
from GASNetLib.version import VERSION
from GASNetLib.volume import Volume, read_mask, read_volume

OBLIQUE = tuple(
    (
        np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
        @ np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    ).ravel()
)
FLIPPED = (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)
LEFT_HANDED = (1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0)
MODEL = ModelInfo("Modell Ä | 2: x", {"name": "unet"}, sha256="0123456789abcdef" * 4)


def result_of(phantom) -> Segmentation:
    probability = np.where(phantom.lesions, 0.75, 0.25).astype(np.float32)
    volume = Volume(phantom.hu, phantom.geometry, name="phantom")
    return Segmentation(volume, probability, Lungs(phantom.lungs, phantom.geometry), MODEL, 0.5, "cpu")


@pytest.fixture(scope="module")
def result():
    return result_of(make_phantom(2, (20, 48, 56), lesions="moderate"))


@pytest.fixture(
    scope="module", params=[OBLIQUE, FLIPPED, LEFT_HANDED], ids=["oblique", "flipped", "left-handed"]
)
def turned(request):
    return result_of(make_phantom(2, (20, 40, 56), lesions="moderate", direction=request.param))


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A DICOM series and the result on it."""
    folder = tmp_path_factory.mktemp("dicom") / "Serie ö"
    phantom = make_phantom(2, (20, 48, 56), lesions="moderate")
    write_phantom(phantom, folder)
    volume = read_volume(folder)
    return folder, replace(result_of(phantom), volume=volume, lungs=Lungs(phantom.lungs, volume.geometry))


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".seg.nrrd"])
def test_lesions_come_back_on_the_same_grid(turned, tmp_path, ending):
    path = write_segmentation(tmp_path / f"Fall ü{ending}", turned)
    mask, geometry = read_mask(path)
    np.testing.assert_array_equal(mask, turned.lesions)
    assert geometry.same_as(turned.volume.geometry)


def test_probability_and_lungs_come_back(turned, tmp_path):
    probability = sitk.ReadImage(str(write_probability(tmp_path / "p.nrrd", turned)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(probability), turned.probability)
    lungs = sitk.ReadImage(str(write_lungs(tmp_path / "l.nii.gz", turned)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(lungs), turned.lungs.labels)
    assert Geometry.of(lungs).same_as(turned.volume.geometry)


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".seg.nrrd"])
def test_the_file_says_where_it_comes_from(result, tmp_path, ending):
    image = sitk.ReadImage(str(write_segmentation(tmp_path / f"a{ending}", result)))
    found = {
        key: image.GetMetaData(f"GASNet.{key}") for key in ("model_sha256", "software_version", "threshold")
    }
    assert found == {"model_sha256": MODEL.sha256, "software_version": VERSION, "threshold": "0.5"}
    assert "Modell Ä" in image.GetMetaData("GASNet.model")
    assert image.GetMetaData("GASNet.created").endswith("+00:00")


def test_nifti_says_it_in_its_one_line(result, tmp_path):
    image = sitk.ReadImage(str(write_segmentation(tmp_path / "a.nii.gz", result)))
    origin = f"GASNet {VERSION} {MODEL.sha256[:12]} > 0.5 {result.created} Modell"
    assert image.GetMetaData("descrip").startswith(origin)


def test_a_segmentation_file_whose_layers_cannot_be_named_is_noticed(tmp_path):
    (tmp_path / "a.seg.nrrd").write_bytes(b"NRRD0004\n\n")
    with pytest.raises(RuntimeError, match="names no kinds"):
        _name_layers_a_list(tmp_path / "a.seg.nrrd")


def in_slicer(path: Path):
    """The segmentation node that Slicer's own storage node reads from a file."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return scene, node


def array_and_matrix(node, name: str, shape: tuple[int, ...]):
    """Mask (z, y, x) of a segment and its 4×4 index-to-RAS matrix, as Slicer holds them."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    segmentation = node.GetSegmentation()
    segment = segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName(name))
    image = segment.GetRepresentation("Binary labelmap")
    extent = image.GetExtent()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(
        [extent[2 * axis + 1] - extent[2 * axis] + 1 for axis in (2, 1, 0)]
    )
    whole = np.zeros(shape, np.uint8)
    whole[tuple(slice(extent[2 * axis], extent[2 * axis + 1] + 1) for axis in (2, 1, 0))] = (
        values == segment.GetLabelValue()
    )
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkOrientedImageData.GetImageToWorldMatrix(image, matrix)
    return whole, np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def test_slicer_reads_voxels_and_geometry_exactly(turned, tmp_path):
    _scene, node = in_slicer(write_segmentation(tmp_path / "a.seg.nrrd", turned))
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    expected = {
        "Lesion": turned.lesions,
        "Right lung": turned.lungs.labels == 1,
        "Left lung": turned.lungs.labels == 2,
    }
    for name, mask in expected.items():
        found, matrix = array_and_matrix(node, name, mask.shape)
        np.testing.assert_array_equal(found, mask)
        np.testing.assert_allclose(matrix, lps_to_ras @ turned.volume.geometry.index_to_physical, atol=1e-5)


def test_slicer_reads_names_colours_meaning_and_origin(result, tmp_path):
    _scene, node = in_slicer(write_segmentation(tmp_path / "a.seg.nrrd", result))
    import slicer
    import vtk

    segmentation = node.GetSegmentation()
    names = [segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())]
    assert names == ["Lesion", "Right lung", "Left lung"]
    lesion, right = (segmentation.GetNthSegment(i) for i in (0, 1))
    assert lesion.GetColor() == pytest.approx(LESION.colour, abs=1e-5)
    assert right.GetColor() == pytest.approx(RIGHT_LUNG.colour, abs=1e-5)

    def tag(segment, key):
        text = vtk.reference("")
        return text.get() if segment.GetTag(key, text) else None

    entry = slicer.vtkSlicerTerminologyEntry()
    text = tag(lesion, slicer.vtkSegment.GetTerminologyEntryTagName())
    assert slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(text, entry)
    assert entry.GetCategoryObject().GetCodeValue() == "49755003"
    assert entry.GetTypeObject().GetCodeValue() == "47351003"
    assert entry.GetTypeModifierObject().GetCodeValue() == "840539006"
    assert entry.GetAnatomicRegionObject().GetCodeValue() == "39607008"
    assert tag(lesion, "GASNet.model_sha256") == MODEL.sha256
    assert tag(lesion, "GASNet.created").endswith("+00:00")


def test_slicerio_reads_it_too(turned, tmp_path):
    import slicerio

    found = slicerio.read_segmentation(str(write_segmentation(tmp_path / "a.seg.nrrd", turned)))
    lungs = turned.lungs.labels
    for segment, mask in zip(found["segments"], (turned.lesions, lungs == 1, lungs == 2), strict=True):
        layer = found["voxels"][segment["layer"]]
        np.testing.assert_array_equal((layer == segment["labelValue"]).transpose(2, 1, 0), mask)
    np.testing.assert_allclose(found["ijkToLPS"], turned.volume.geometry.index_to_physical)
    assert found["segments"][0]["terminology"]["typeModifier"] == ["SCT", "840539006", "COVID-19"]
    assert found["segments"][2]["terminology"]["typeModifier"] == ["SCT", "7771000", "Left"]


def test_dicom_seg_refers_to_its_series_and_names_the_model(series, tmp_path):
    import highdicom
    import pydicom

    folder, result = series
    path = write_segmentation(tmp_path / "a.dcm", result, folder)
    found = highdicom.seg.segread(path)
    source = pydicom.dcmread(next(folder.iterdir()))
    for tag in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert found[tag].value == source[tag].value
    assert found.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    assert [item.SegmentLabel for item in found.SegmentSequence] == ["Lesion", "Right lung", "Left lung"]
    lesion = found.SegmentSequence[0]
    assert lesion.SegmentedPropertyTypeCodeSequence[0].CodeValue == "47351003"
    modifier = lesion.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
    assert modifier.CodeValue == "840539006"
    assert lesion.AnatomicRegionSequence[0].CodeValue == "39607008"
    algorithm = lesion.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (MODEL.name, MODEL.sha256)
    assert "threshold=0.5" in algorithm.AlgorithmParameters


def test_dicom_seg_holds_the_voxels_where_they_were(series, tmp_path):
    import highdicom

    folder, result = series
    one_file = next(folder.iterdir())
    found = highdicom.seg.segread(write_segmentation(tmp_path / "a.dcm", result, one_file))
    lungs = result.lungs.labels
    for number, mask in enumerate((result.lesions, lungs == 1, lungs == 2), 1):
        whole = np.zeros(mask.shape, bool)
        volume = found.get_volume(segment_numbers=[number], combine_segments=True)
        index = np.linalg.solve(result.volume.geometry.index_to_physical, volume.affine)
        for inside in np.argwhere(volume.array):
            x, y, z = (index @ [*inside, 1.0])[:3].round().astype(int)
            whole[z, y, x] = True
        np.testing.assert_array_equal(whole, mask.astype(bool))


def test_dicom_seg_needs_the_series_of_the_ct(series, result, tmp_path):
    folder, own = series
    with pytest.raises(InputError, match="there is none"):
        write_segmentation(tmp_path / "a.dcm", own)
    with pytest.raises(InputError, match="no DICOM"):
        write_segmentation(tmp_path / "a.dcm", own, write_lungs(tmp_path / "l.nrrd", own))
    shifted = replace(own.volume.geometry, origin=(0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="elsewhere"):
        write_segmentation(
            tmp_path / "a.dcm", replace(own, volume=replace(own.volume, geometry=shifted)), folder
        )
    other = result_of(make_phantom(2, (18, 48, 56)))
    with pytest.raises(InputError, match="20 files where the CT has 18 slices"):
        write_segmentation(tmp_path / "a.dcm", other, folder)
    assert not (tmp_path / "a.dcm").exists()


def test_without_lesions_every_format_is_written(series, tmp_path):
    import highdicom

    folder, result = series
    nothing = replace(result, probability=result.probability * 0)
    for ending in (".seg.nrrd", ".nii.gz", ".nrrd", ".mha"):
        assert read_mask(write_segmentation(tmp_path / f"a{ending}", nothing))[0].sum() == 0
    found = highdicom.seg.segread(write_segmentation(tmp_path / "a.dcm", nothing, folder))
    assert "Lesion" in [item.SegmentLabel for item in found.SegmentSequence]


def test_an_unknown_ending_is_refused(result, tmp_path):
    for write in (write_segmentation, write_probability, write_lungs):
        with pytest.raises(InputError, match="no known format"):
            write(tmp_path / "a.jpg", result)


def test_a_folder_that_is_none_is_said_in_plain_words(result, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for name in ("a.seg.nrrd", "a.nrrd", "a.nii.gz"):
        with pytest.raises(ResourceError, match="cannot be written"):
            write_segmentation(tmp_path / "file" / name, result)


LIMITED = """
import resource, signal, sys
from test_files import make_phantom, result_of, write_probability, write_segmentation
from GASNetLib.errors import ResourceError
import numpy as np
from dataclasses import replace
result = result_of(make_phantom(2, (20, 48, 56), lesions="moderate"))
noise = np.random.default_rng(0).random(result.probability.shape, np.float32)
result = replace(result, probability=noise)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
write = write_segmentation if sys.argv[1].endswith(".seg.nrrd") else write_probability
try:
    write(sys.argv[1], result)
except ResourceError as error:
    print("refused:", error.cause.encode("ascii", "replace").decode())
"""


@pytest.mark.skipif(os.name == "nt", reason="the limit on file sizes is POSIX")
@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz", "a.mha", "a.seg.nrrd"])
def test_what_does_not_fit_leaves_the_old_file_and_no_rest(result, tmp_path, name):
    path = write_segmentation(tmp_path / name, result)
    before = path.read_bytes()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([p for p in sys.path if p] + [str(Path(__file__).parent)])
    }
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("refused:")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [name]
