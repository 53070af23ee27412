"""The probability in steps: the mask at a threshold is exactly the engine's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from GASNetLib.evidence import STEPS, evidence_of, lesions_above, provenance_of, stepped
from GASNetLib.geometry import Geometry
from GASNetLib.lungs import Lungs
from GASNetLib.model import ModelInfo
from GASNetLib.segment import Segmentation
from GASNetLib.volume import Volume


def segmentation_of(probability: np.ndarray, threshold: float = 0.5) -> Segmentation:
    geometry = Geometry(probability.shape[::-1], (1.0, 1.0, 1.0))
    lungs = Lungs(np.full(probability.shape, 2, np.uint8), geometry)
    volume = Volume(np.zeros(probability.shape, np.int16), geometry, name="CT")
    return Segmentation(volume, probability, lungs, ModelInfo("m", {}), threshold, "cpu")


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (2, 3, 4), elements=st.floats(0, 1, width=32)),
    st.integers(1, STEPS - 1),
)
def test_mask_from_steps_is_the_mask_from_the_probability(probability, step):
    threshold = step / STEPS

    mask = lesions_above(evidence_of(segmentation_of(probability)), threshold)

    assert np.array_equal(mask, probability.astype(np.float64) > threshold)
    assert np.array_equal(mask, segmentation_of(probability, threshold).lesions)


@pytest.mark.parametrize("step", range(1, STEPS))
def test_mask_from_steps_is_the_engines_at_the_threshold_itself(step):
    at = np.float32(step / STEPS)
    probability = np.array([[[at, np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1))]]])
    found = segmentation_of(probability, step / STEPS)

    assert np.array_equal(lesions_above(evidence_of(found), step / STEPS), found.lesions)


def test_lungs_travel_along():
    evidence = evidence_of(segmentation_of(np.zeros((2, 3, 4), np.float32)))

    assert evidence.dtype == np.uint8 and evidence.shape == (2, 3, 4, 2)
    assert np.all(evidence[..., 1] == 2)


@pytest.mark.parametrize(("given_", "kept"), [(0.5, 0.5), (0.333, 0.335), (0.0001, 0.005), (0.9999, 0.995)])
def test_threshold_is_taken_to_the_nearest_step(given_, kept):
    assert stepped(given_) == pytest.approx(kept)


@pytest.mark.parametrize("threshold", [0, 1, -1, 2])
def test_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match="between 0 and 1"):
        stepped(threshold)


def test_provenance_holds_no_name_of_the_image():
    provenance = provenance_of(segmentation_of(np.zeros((2, 2, 2), np.float32), 0.4), "classical")

    assert provenance["threshold"] == 0.4 and provenance["model"] == "m"
    assert "CT" not in [value for value in provenance.values() if isinstance(value, str)]
