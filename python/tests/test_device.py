"""The same values on a GPU, here a software one where there is no other."""

import os

import numpy as np
import pytest

import whylight
from whylight import TreeExplainer, summarise

ensemble = pytest.importorskip("sklearn.ensemble")


@pytest.fixture(scope="module")
def forest(complete, three):
    return ensemble.RandomForestClassifier(n_estimators=5, random_state=0).fit(complete, three)


@pytest.fixture(scope="module")
def gpu(forest):
    try:
        TreeExplainer(forest, device="gpu:0")
    except whylight.DeviceError as error:
        if os.environ.get("WHYLIGHT_REQUIRE_GPU") == "1":
            raise
        pytest.skip(str(error))
    return "gpu:0"


def test_trees_have_the_values_of_the_cpu(forest, complete, gpu):
    on_gpu, on_cpu = (TreeExplainer(forest, device=device)(complete) for device in (gpu, "cpu"))
    largest = np.abs(on_cpu.values).max(axis=(1, 2), keepdims=True)
    assert (np.abs(on_gpu.values - on_cpu.values) <= 1e-5 * largest).all()
    assert on_gpu.device != on_cpu.device


def test_summaries_are_those_of_the_cpu(complete, gpu):
    on_gpu, on_cpu = (summarise(complete, 7, device=device) for device in (gpu, "cpu"))
    assert (on_gpu.data == on_cpu.data).all()
    np.testing.assert_allclose(on_gpu.weights, on_cpu.weights)
    assert on_gpu.device != on_cpu.device
