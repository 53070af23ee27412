"""The command ``gasnet`` as a person runs it: real processes, real files, exit statuses."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from GASNetLib.command_line import main
from GASNetLib.model import ModelInfo, save_model
from GASNetLib.networks import create_segmenter
from GASNetLib.phantom import make_phantom, write_labels, write_phantom

SHAPE = (40, 64, 64)
PREPROCESSING = {"shape": [16, 48, 48], "window_hu": [-1250.0, 250.0], "margin_mm": 5.0}
REPORT_KEYS = {
    "case",
    "model",
    "threshold",
    "lesion_ml",
    "lung_ml",
    "lesion_percent",
    "left",
    "right",
    "hu",
    "components",
    "device",
    "created",
    "seconds",
    "version",
    "notes",
}


def gasnet(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "GASNetLib.command_line", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(seed=1, shape=SHAPE, lesions="moderate")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    segmenter = create_segmenter({"name": "unet", "channels": 4, "levels": 2})
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, ModelInfo("tiny", {}, preprocessing=PREPROCESSING, threshold=0.5), segmenter)
    return path


@pytest.fixture
def ct(phantom, tmp_path):
    return write_phantom(phantom, tmp_path / "input" / "patient 1_ct.nii.gz")


def test_one_ct_gives_all_that_was_asked_for(ct, model, tmp_path):
    out = tmp_path / "new folder"
    done = gasnet(
        *("segment", ct, "-o", out / "lesions.seg.nrrd", "--model", model, "--device", "cpu"),
        *("--report", out / "r.json", "--figure", out / "f.png"),
        *("--probability", out / "p.nrrd", "--lungs", out / "l.nrrd", "--threshold", "0.4"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "r.json").read_text())
    assert set(report) == REPORT_KEYS
    assert report["threshold"] == 0.4 and report["device"] == "cpu"
    assert report["model"]["name"] == "tiny" and len(report["model"]["sha256"]) == 64
    probability = sitk.ReadImage(str(out / "p.nrrd"))
    assert probability.GetSize() == SHAPE[::-1]
    lesion_voxels = np.count_nonzero(sitk.GetArrayFromImage(probability) > 0.4)
    lesion_ml = lesion_voxels * np.prod(probability.GetSpacing())
    assert report["lesion_ml"] == pytest.approx(lesion_ml / 1000, rel=0.01)
    assert set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(out / "l.nrrd"))))) == {0, 1, 2}
    assert (out / "f.png").stat().st_size > 20_000
    assert f"{report['lesion_ml']:.1f}" in done.stdout


def test_a_folder_tree_goes_on_after_a_bad_case(phantom, ct, model, tmp_path):
    tree = tmp_path / "input"
    write_phantom(phantom, tree / "second" / "series")
    (tree / "broken_ct.nii.gz").write_bytes(ct.read_bytes()[:5000])
    done = gasnet("segment", tree, "-o", tree / "out", "--model", model, "--report", tmp_path / "all.csv")
    assert done.returncode == 1
    assert "broken" in done.stderr and "damaged" in done.stderr
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    (failed,) = [row for row in rows if row["error"]]
    assert failed["case"] == "broken" and "damaged" in failed["error"] and failed["lesion_ml"] == ""
    written = sorted(p.relative_to(tree / "out").as_posix() for p in (tree / "out").rglob("*.seg.nrrd"))
    assert written == sorted(f"{row['case']}.seg.nrrd" for row in rows if not row["error"])
    command = ("segment", tree, "-o", tree / "out", "--model", model, "--report", tmp_path / "all.csv")
    again = gasnet(*command, "--overwrite")
    assert again.returncode == 1  # its own results of the first time are no new cases
    with (tmp_path / "all.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


@pytest.mark.parametrize("report", ["all.csv", "all.json"])
def test_a_batch_goes_on_where_it_was_broken_off_and_keeps_what_is_there(report, phantom, model, tmp_path):
    cts, out, report = tmp_path / "cts", tmp_path / "out", tmp_path / report
    for name in ("p1", "p2"):
        write_phantom(phantom, cts / f"{name}.nii.gz")
    command = ("segment", cts, "-o", out, "--model", model, "--report", report)
    assert gasnet(*command).returncode == 0
    (out / "p1.seg.nrrd").write_bytes(b"corrected")
    (out / "p2.seg.nrrd").unlink()
    again = gasnet(*command)
    assert again.returncode == 1 and "1 of 2 were not segmented" in again.stderr
    assert f"p1: {out / 'p1.seg.nrrd'} is there already and stays. --overwrite replaces it." in again.stderr
    assert (out / "p1.seg.nrrd").read_bytes() == b"corrected" and (out / "p2.seg.nrrd").stat().st_size > 1000
    rows = read_rows(report)
    assert [row["case"] for row in rows] == ["p1", "p2"]
    assert float(rows[0]["lesion_ml"]) == float(rows[1]["lesion_ml"])
    before = report.read_bytes()
    assert gasnet(*command).returncode == 2 and report.read_bytes() == before
    assert gasnet(*command, "--overwrite").returncode == 0
    assert (out / "p1.seg.nrrd").stat().st_size > 1000


def read_rows(report: Path) -> list[dict]:
    with report.open() as file:
        return json.load(file) if report.suffix == ".json" else list(csv.DictReader(file))


@pytest.mark.parametrize("option", ["-o", "--report", "--figure"])
def test_of_one_ct_nothing_is_replaced_without_asking(option, ct, model, tmp_path):
    names = {"-o": "lesions.seg.nrrd", "--report": "r.json", "--figure": "f.png"}
    (tmp_path / names[option]).write_bytes(b"precious")
    command = ["segment", ct, "--model", model, *(x for o, n in names.items() for x in (o, tmp_path / n))]
    done = gasnet(*command)
    assert done.returncode == 2 and f"{tmp_path / names[option]} is there already" in done.stderr
    assert (tmp_path / names[option]).read_bytes() == b"precious"
    assert not any((tmp_path / names[other]).exists() for other in {"-o", "--figure"} - {option})
    assert gasnet(*command, "--overwrite").returncode == 0
    assert all((tmp_path / name).stat().st_size > 100 for name in names.values())


def test_a_report_that_cannot_be_written_is_told_before_anything_is_computed(phantom, model, tmp_path):
    cts = [write_phantom(phantom, tmp_path / f"{name}.nii.gz") for name in ("p1", "p2")]
    (tmp_path / "file").write_text("")
    done = gasnet(
        "segment", *cts, "-o", tmp_path / "out", "--report", tmp_path / "file" / "r.csv", "--model", model
    )
    assert done.returncode == 2 and "r.csv cannot be written" in done.stderr
    assert not (tmp_path / "out").exists()


def test_dicom_in_dicom_segmentation_out(phantom, model, tmp_path):
    import highdicom

    series = write_phantom(phantom, tmp_path / "series")
    done = gasnet("segment", series, "-o", tmp_path / "seg.dcm", "--model", model)
    assert done.returncode == 0, done.stderr
    segmentation = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert "Lesion" in [str(s.SegmentLabel) for s in segmentation.SegmentSequence]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.nii.gz", "-o", "x.nrrd"], "There is no file"),
        ([".", "-o", "out"], "holds no CT"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, says, model, tmp_path):
    command = [sys.executable, "-m", "GASNetLib.command_line", "segment", *arguments, "--model", str(model)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_several_cts_do_not_fit_into_one_file(ct, model, tmp_path):
    done = gasnet("segment", ct, tmp_path / "other.nrrd", "-o", tmp_path / "one.nrrd", "--model", model)
    assert done.returncode == 2
    assert "Give a folder" in done.stderr


def test_the_ct_is_never_overwritten(ct, model):
    before = ct.read_bytes()
    done = gasnet("segment", ct, "-o", ct, "--model", model)
    assert done.returncode == 2 and "would be overwritten" in done.stderr
    assert ct.read_bytes() == before


def test_two_cases_of_one_name_do_not_overwrite_each_other(phantom, ct, model, tmp_path):
    other = write_phantom(phantom, tmp_path / "elsewhere" / ct.name)
    done = gasnet("segment", ct, other, "-o", tmp_path / "out", "--model", model)
    assert done.returncode == 2 and "overwrite each other" in done.stderr


def test_a_perfect_prediction_evaluates_to_one(phantom, ct, tmp_path):
    write_labels(phantom.lesions, phantom.geometry, ct.parent / "patient 1_lesion.nii.gz")
    write_labels(phantom.lesions, phantom.geometry, tmp_path / "predictions" / "patient 1.nii.gz")
    table = tmp_path / "figures.csv"
    done = gasnet("evaluate", ct.parent, "--predictions", tmp_path / "predictions", "-o", table)
    assert done.returncode == 0, done.stderr
    with table.open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["dice"]) == float(row["sensitivity"]) == float(row["specificity"]) == 1.0
    assert float(row["volume_error_ml"]) == float(row["hausdorff95_mm"]) == 0.0
    assert "1.000" in done.stdout


def test_what_a_folder_of_references_lacks_is_said(phantom, ct, tmp_path):
    folder, predictions = ct.parent, ct.parent / "predictions"
    write_labels(phantom.lesions, phantom.geometry, folder / "patient 1_lesion.nii.gz")
    write_labels(phantom.lesions, phantom.geometry, predictions / "patient 1.nrrd")
    shutil.copy(ct, folder / "unmarked_ct.nii.gz")
    write_labels(phantom.lesions, phantom.geometry, folder / "lonely_lesion.nii.gz")
    table = tmp_path / "figures.csv"
    done = gasnet("evaluate", folder, "--predictions", predictions, "-o", table)
    assert done.returncode == 1
    assert "lonely_lesion.nii.gz has no CT beside it." in done.stderr
    assert "Left out, as they have no mask: unmarked." in done.stderr
    assert "predictions" not in done.stderr
    with table.open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["patient 1"]


def test_a_model_is_evaluated_on_healthy_cases_by_what_it_finds(phantom, ct, model, tmp_path):
    table = tmp_path / "cohort.csv"
    table.write_text("case,ct,mask,role\nwell,input/patient 1_ct.nii.gz,,healthy\n")
    figures = tmp_path / "figures.csv"
    done = gasnet("evaluate", table, "--model", model, "-o", figures)
    assert done.returncode == 0, done.stderr
    with figures.open() as file:
        (row,) = csv.DictReader(file)
    assert row["dice"] == "" and float(row["volume_error_ml"]) >= 0.0


@pytest.mark.parametrize("kind", ["table of one bad and one good case", "unwritable table", "starter"])
def test_evaluating_loses_no_figures(kind, phantom, model, tmp_path):
    cohort, figures = tmp_path / "cohort.csv", tmp_path / "figures.csv"
    write_phantom(phantom, tmp_path / "good.nii.gz")
    bad = "x" * 300 + ".nii.gz"  # longer than any file system allows
    cohort.write_text(f"case,ct,mask,role\nbad,{bad},,healthy\ngood,good.nii.gz,,healthy\n")
    chosen = [] if kind == "starter" else ["--model", model]
    if kind == "unwritable table":
        figures.mkdir()
    done = gasnet("evaluate", cohort, *chosen, "-o", figures, "--device", "cpu")
    assert "Traceback" not in done.stderr
    if kind == "unwritable table":
        assert done.returncode == 2 and "figures.csv cannot be written" in done.stderr
        assert "bad:" not in done.stderr  # nothing was computed
        return
    assert done.returncode == 1 and f"{bad} cannot be opened" in done.stderr
    with figures.open() as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["good"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["segment", "evaluate"])
def test_a_gpu_that_is_not_there_is_said_once(command, phantom, model, tmp_path):
    for name in ("p1", "p2"):
        write_phantom(phantom, tmp_path / "cts" / f"{name}_ct.nii.gz")
        write_labels(phantom.lesions, phantom.geometry, tmp_path / "cts" / f"{name}_lesion.nii.gz")
    target = tmp_path / ("out" if command == "segment" else "f.csv")
    done = gasnet(command, tmp_path / "cts", "-o", target, "--model", model, "--device", "cuda")
    assert done.returncode == 2 and done.stderr.count("The GPU cannot be used") == 1
    assert not target.exists()


def test_check_says_what_works(model):
    done = gasnet("check", model)
    assert "their network is whole" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tiny.safetensors works" in done.stdout and "GPU" in done.stdout and "Memory" in done.stdout


def test_check_fails_for_a_broken_model(model, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(model.read_bytes()[:-10])
    done = gasnet("check", broken)
    assert done.returncode == 1 and "damaged" in done.stdout


def test_model_show_prints_its_description(model):
    shown = json.loads(gasnet("model", "show", model).stdout)
    assert shown["name"] == "tiny" and shown["segmenter"]["channels"] == 4


def test_a_reader_that_went_away_is_no_error_to_speak_of(model):
    command = [sys.executable, "-m", "GASNetLib.command_line", "model", "show", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shown:
        shown.stdout.close()
        assert shown.stderr.read() == b""
    assert shown.returncode == 141


@pytest.mark.parametrize("option", ["-o", "--probability", "--lungs"])
def test_no_result_overwrites_a_ct_of_a_folder(option, phantom, model, tmp_path):
    ending = "" if option == "-o" else {"--probability": "_PROBABILITY", "--lungs": "_lungs"}[option]
    folder = tmp_path / "A"
    ct = write_phantom(phantom, folder / "patient.nrrd")
    if ending:  # named on the command line itself, the names of masks are CTs too
        ct = ct.rename(folder / f"patient{ending}.nrrd")
        (folder / "patient.nrrd").symlink_to(ct)
    before = ct.read_bytes()
    inputs = sorted(folder.iterdir()) if ending else [folder]
    places = {"-o": tmp_path / "out", option: folder}
    given = [part for pair in places.items() for part in pair]
    done = gasnet("segment", *inputs, *given, "--format", ".nrrd", "--model", model)
    assert done.returncode == 2 and "would be overwritten" in done.stderr
    assert ct.read_bytes() == before and not (tmp_path / "out").exists()


def test_results_among_the_slices_of_a_series_are_refused(phantom, model, tmp_path):
    series = write_phantom(phantom, tmp_path / "series")
    done = gasnet("segment", series, "-o", series / "out", "--model", model)
    assert done.returncode == 2 and "would be overwritten" in done.stderr
    assert not (series / "out").exists()


@pytest.mark.parametrize("output", ["out.nrrd", "out"])
def test_results_among_the_slices_beside_a_given_one_are_refused(output, phantom, model, tmp_path):
    series = write_phantom(phantom, tmp_path / "series")
    before = sorted(series.iterdir())
    done = gasnet("segment", before[3], "-o", series / output, "--model", model)
    assert done.returncode == 2 and "would be overwritten" in done.stderr
    assert sorted(series.iterdir()) == before


def test_lungs_and_probabilities_share_a_folder_and_are_no_cts_later(phantom, model, tmp_path):
    folder = tmp_path / "A"
    for name in ("p1", "p2"):
        write_phantom(phantom, folder / f"{name}.nii.gz")
    command = ("segment", folder, "-o", folder, "--probability", folder, "--lungs", folder, "--model", model)
    for _ in range(2):
        done = gasnet(*command, "--overwrite")
        assert done.returncode == 0, done.stderr
        assert sorted(path.name for path in folder.iterdir()) == [
            f"{case}{ending}"
            for case in ("p1", "p2")
            for ending in (".nii.gz", ".seg.nrrd", "_lungs.nrrd", "_probability.nrrd")
        ]
    assert str(folder) in done.stdout


def test_nothing_in_a_tree_is_left_out_in_silence(phantom, model, tmp_path):
    tree, report = tmp_path / "tree", tmp_path / "r.json"
    series = write_phantom(phantom, tree / "siteA" / "P1")
    shutil.copytree(series, tree / "siteA" / "P2")
    image = write_phantom(phantom, tree / "siteA" / "p3.nii.gz")
    (tree / "siteA" / "p3.nrrd").write_bytes(b"")
    shutil.copy(image, tree / "left_lung.nii.gz")
    done = gasnet("segment", tree, "-o", tmp_path / "out", "--model", model, "--report", report)
    assert done.returncode == 1
    assert "p3.nii.gz and" in done.stderr and "p3.nrrd are both the CT" in done.stderr
    assert "left_lung.nii.gz has no CT beside it" in done.stderr
    rows = json.loads(report.read_text())
    assert {row["case"] for row in rows if "error" not in row} == {"siteA/P1", "siteA/P2", "siteA/p3"}
    assert len([row for row in rows if "error" in row]) == 2


def test_an_unwritable_result_fails_its_case_only(phantom, model, tmp_path):
    cts = [write_phantom(phantom, tmp_path / f"{name}.nii.gz") for name in ("p1", "p2")]
    (tmp_path / "out" / "p1.png").mkdir(parents=True)  # where the figure should go
    done = gasnet(
        *("--traceback", "segment", *cts, tmp_path / "nowhere.nrrd", "-o", tmp_path / "out"),
        *("--figure", tmp_path / "out", "--report", tmp_path / "r.json", "--model", model),
    )
    assert done.returncode == 1 and "Traceback" in done.stderr
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [(row["case"], "error" in row) for row in rows] == [("p1", True), ("p2", False), ("nowhere", True)]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["-o", "lesions.nii"], ".nii.gz"),
        (["-o", "out.txt"], "no known ending"),
        (["-o", "seg.DCM"], "needs DICOM input"),
        (["-o", "out", "--report", "r.txt"], ".csv"),
        (["-o", "out", "--figure", "f.gif"], ".png"),
        (["-o", "out", "--lungs", "l.dcm"], "no known ending"),
        (["-o", "out", "--probability", "p.seg"], "no known ending"),
    ],
)
def test_endings_are_checked_before_anything_is_computed(given, says, ct, tmp_path):
    given = [part if part.startswith("-") else tmp_path / part for part in given]
    done = gasnet("segment", ct, *given, "--model", tmp_path / "no model is looked for yet")
    assert done.returncode == 2 and says in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["input"]


def test_each_option_is_file_or_folder_by_its_own_ending(ct, model, tmp_path):
    figure = tmp_path / "F" / "pic.PNG"
    done = gasnet("segment", ct, "-o", tmp_path / "out", "--figure", figure, "--model", model)
    assert done.returncode == 0, done.stderr
    assert figure.is_file()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["patient 1_ct.seg.nrrd"]


def test_a_series_folder_is_one_case_and_its_faults_are_said(phantom, model, tmp_path):
    series = write_phantom(phantom, tmp_path / "series")
    write_labels(phantom.lungs, phantom.geometry, series / "odd_mask.nrrd")
    done = gasnet("segment", series, "-o", tmp_path / "out", "--model", model)
    assert done.returncode == 1
    assert done.stderr.count("no CT beside it") == 1 and "without a folder" not in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["series.seg.nrrd"]


def test_the_slices_of_a_series_are_one_case(phantom, model, tmp_path):
    series = write_phantom(phantom, tmp_path / "series")
    done = gasnet("segment", *sorted(series.iterdir()), "-o", tmp_path / "out", "--model", model)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["series.seg.nrrd"]


def test_names_that_differ_only_in_case_overwrite_each_other(phantom, ct, model, tmp_path):
    other = write_phantom(phantom, tmp_path / "elsewhere" / ct.name.replace("p", "P"))
    done = gasnet("segment", ct, other, "-o", tmp_path / "out", "--model", model)
    assert done.returncode == 2 and "overwrite each other" in done.stderr


def test_a_threshold_of_stored_masks_is_refused(ct, tmp_path):
    done = gasnet("evaluate", ct.parent, "--predictions", tmp_path, "--threshold", "0.3")
    assert done.returncode == 2 and "usage:" in done.stderr and "--threshold" in done.stderr


@pytest.fixture
def gasnet_without(tmp_path):
    """The command in an interpreter that has all installed packages but one, or that one broken."""
    import GASNetLib

    engine = Path(GASNetLib.__file__).parents[1]

    def run(package: str, *arguments, broken: str | None = None) -> subprocess.CompletedProcess:
        packages = tmp_path / "packages"
        packages.mkdir(exist_ok=True)
        for path in Path(torch.__file__).parents[1].iterdir():
            if not path.name.startswith(package) and not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
        if broken is not None:
            (packages / package).mkdir(exist_ok=True)
            (packages / package / ("__init__.py" if broken else "left_over.txt")).write_text(broken)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(engine), str(packages)])}
        command = [sys.executable, "-S", "-m", "GASNetLib.command_line", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)

    return run


def test_without_torch_check_and_help_still_speak(gasnet_without):
    checked = gasnet_without("torch", "check")
    assert checked.returncode == 1, checked.stderr
    assert "torch: not installed" in " ".join(checked.stdout.split())
    shown = gasnet_without("torch", "segment", "--help")
    assert shown.returncode == 0 and "Research only, not for diagnosis" in " ".join(shown.stdout.split())


BROKEN = {
    "ImportError": "import torch._C",
    "OSError": "import ctypes; ctypes.CDLL('libtorch_that_is_gone.so')",
    "AttributeError": "import sys; sys.is_half_installed",
    "no __init__.py": "",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_torch_is_told_with_what_to_do(broken, gasnet_without, ct, model, tmp_path):
    for command in (("check",), ("segment", ct, "-o", tmp_path / "out", "--model", model)):
        done = gasnet_without("torch", *command, broken=broken)
        said = done.stdout + done.stderr
        assert done.returncode in (1, 2) and "Traceback" not in said
        assert "-m pip install --force-reinstall torch" in said
        assert "cannot be loaded" in said or "half installed" in said


@pytest.mark.parametrize("command", [("check",), ("segment", "ct.nrrd", "-o", "out"), ("runs", ".")])
def test_a_missing_package_is_told_with_what_to_do(command, gasnet_without):
    done = gasnet_without("safetensors", *command)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "The package safetensors cannot be loaded" in done.stderr
    assert "python -m pip install --force-reinstall safetensors" in done.stderr


COMMANDS = (
    "segment|evaluate|train|resume|stop|watch|runs|compare|experiment|cohort|cohort check|cohort cache|model|"
    "model show|check"
)


@pytest.mark.parametrize("command", COMMANDS.split("|"))
def test_every_command_describes_itself_and_its_options(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0 and max(map(len, shown.splitlines())) <= 100
    usage, description, *_ = shown.split("\n\n")
    assert usage.startswith("usage: gasnet ") and not description.startswith(("positional", "options"))
    options = shown[shown.index("options:") :].split("examples:")[0]
    named = re.findall(r"^  (-[^\n]*)((?:\n {4,}[^\n]*)*)", options, re.MULTILINE)
    assert named
    for option, below in named:
        assert "  " in option.strip() or below.strip(), f"{command} says nothing of {option}"


def test_lungs_names_its_endings(capsys):
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "lung labels, 1 right, 2 left (.nii.gz, .nrrd, .mha)" in shown
