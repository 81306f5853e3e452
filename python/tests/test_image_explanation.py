"""Explanations of images: maps, slices, files, shap's face, figures."""

import numpy as np
import pytest
from pictures import TILES, bright, network, photo

import whylight
from whylight import ImageExplainer
from whylight.errors import FileError, ParameterError, ShapeError, UnsupportedError

pytest.importorskip("skimage")
pillow = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def e():
    return ImageExplainer(bright, classes=["lit", "dark"], nsamples=60)([photo(20), photo(21), photo(22)[:14]])


@pytest.fixture(scope="module")
def deep():
    return ImageExplainer(network(), fill=0)(np.stack([photo(s).astype(np.float32) / 255 for s in range(2)]))


class TestExplanation:
    def test_maps_add_up(self, e, deep):
        for i in range(3):
            total = e.pixel_values(i).sum((0, 1))
            np.testing.assert_allclose(e.base_values[i] + total, e.sums[i], atol=1e-6)
        where = e.image_segments[1] == 2
        np.testing.assert_allclose(e.pixel_values(1, "dark")[where], e.values[1][2, 1] / where.sum())
        np.testing.assert_allclose(deep.pixel_values(1, 2), deep.values[1, :, :, :, 2].sum(-1))

    def test_slices_and_faces(self, e, deep):
        assert len(e) == 3 and len(e[1:]) == 2 and e[-1].images[0].shape == (14, 24, 3) and len(list(e)) == 3
        np.testing.assert_array_equal(e[[2, 0]].values[1], e.values[0])
        np.testing.assert_array_equal(deep[1].values, deep.values[1:])
        np.testing.assert_array_equal(deep[1].completeness_delta, deep.completeness_delta[1:])
        assert np.shape(e.expected_values) == (2, 3) and e.num_examples == 3
        assert e.local_importance_values[1][2] == e.values[2][:, 1].tolist()
        assert np.shape(deep.local_importance_values) == (3, 2, 16, 24, 3)
        assert "3 images by superpixels, 2 outputs" in repr(e)
        for bad in (3, -4, True, [], slice(9, 12)):
            with pytest.raises(IndexError):
                e[bad]
        with pytest.raises(ParameterError, match="lit, dark"):
            e.pixel_values(0, "bright")

    def test_global_values_need_the_same_players(self, e, deep):
        np.testing.assert_allclose(deep.global_importance_values, np.abs(deep.values).mean(0), rtol=1e-6)
        with pytest.raises(AttributeError, match="segmentation"):
            e.global_importance_values  # noqa: B018
        with pytest.raises(UnsupportedError, match="explain_local"):
            ImageExplainer(bright).explain_global(photo())
        shared = ImageExplainer(bright, segmentation=TILES // 6).explain_global([photo(1), photo(2)])
        np.testing.assert_allclose(shared.global_importance_values, np.abs(shared.values).mean(0))

    @pytest.mark.parametrize("kind", ["e", "deep"])
    def test_files(self, kind, request, tmp_path):
        e = request.getfixturevalue(kind)
        path = tmp_path / "images.npz"
        whylight.save_explanation(e, path)
        loaded = whylight.load_explanation(path)
        assert isinstance(loaded, whylight.ImageExplanation) and loaded.details == e.details and loaded.id == e.id
        assert loaded.output_names == e.output_names and loaded.classes == e.classes
        for i in range(len(e)):
            np.testing.assert_array_equal(loaded.values[i], e.values[i])
            np.testing.assert_array_equal(loaded.images[i], e.images[i])
            assert loaded.images[i].dtype == e.images[i].dtype
        np.testing.assert_array_equal(loaded.base_values, e.base_values)
        if kind == "e":
            np.testing.assert_array_equal(loaded.standard_errors[2], e.standard_errors[2])
            np.testing.assert_array_equal(loaded.image_segments[2], e.image_segments[2])
        else:
            np.testing.assert_array_equal(loaded.completeness_delta, e.completeness_delta)
        with pytest.raises(FileError, match="exists"):
            whylight.save_explanation(e, path)
        whylight.save_explanation(e[0], path, exist_ok=True)
        assert len(whylight.load_explanation(path)) == 1 and len(list(tmp_path.iterdir())) == 1
        with pytest.raises(UnsupportedError, match="npz"):
            whylight.save_explanation(e, tmp_path / "folder")

    def test_damaged_files(self, e, tmp_path):
        path = tmp_path / "images.npz"
        whylight.save_explanation(e, path)
        whole = path.read_bytes()
        for size in range(0, len(whole), len(whole) // 40):
            path.write_bytes(whole[:size])
            with pytest.raises(whylight.WhylightError, match="images.npz"):
                whylight.load_explanation(path)
        path.write_bytes(whole)
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        for name in ("head", "values.1", "images.2", "image_segments.0", "base_values"):
            for changed in (None, arrays[name][:0], arrays[name].astype("U"), np.zeros(3, object)):
                rest = {k: v for k, v in arrays.items() if k != name}
                np.savez(path, **rest, **({} if changed is None else {name: changed}))
                with pytest.raises(whylight.WhylightError, match="images.npz"):
                    whylight.load_explanation(path)
        with pytest.raises(FileError, match="no such file"):
            whylight.load_explanation(tmp_path / "none.npz")

    def test_shap_takes_it(self, e, deep):
        shap = pytest.importorskip("shap")
        found = e[:2].to_shap()
        assert found.values.shape == (2, 16, 24, 3, 2) and found.data.shape == (2, 16, 24, 3)
        np.testing.assert_allclose(found.values.sum((1, 2, 3)) + found.base_values, e.sums[:2], atol=1e-6)
        np.testing.assert_array_equal(deep.to_shap().values, deep.values)
        with pytest.raises(ShapeError, match="different shapes"):
            e.to_shap()
        pyplot = pytest.importorskip("matplotlib.pyplot")
        shap.plots.image(found, show=False)
        drawn = pyplot.gcf()
        assert any(ax.get_title() == "dark" for ax in drawn.axes)
        pyplot.close("all")


class TestFigures:
    @pytest.fixture(autouse=True)
    def _matplotlib(self):
        pytest.importorskip("matplotlib")

    def test_superpixels_over_a_grey_image(self):
        image = photo(30)
        e = ImageExplainer(bright, classes=["lit $x$", "dark"], nsamples=60)([image, photo(31)])
        figure = e.plot(0)
        first, *panels, bar = figure.axes
        np.testing.assert_allclose(first.images[0].get_array(), image / 255)
        order = np.argsort(-e.sums[0])
        assert [ax.get_title().split("\n")[0] for ax in panels] == [
            e.output_names[k].replace("$", r"\$") for k in order
        ]
        limit = np.abs(e.values[0]).max()
        for ax, k in zip(panels, order, strict=True):
            under, over = ax.images
            assert under.get_array().ndim == 2
            np.testing.assert_allclose(over.get_array(), e.values[0][:, k][e.image_segments[0]])
            assert over.norm.vmax == pytest.approx(limit) and over.norm.vmin == pytest.approx(-limit)
            most = np.unravel_index(np.abs(over.get_array()).argmax(), image.shape[:2])
            assert over.get_alpha()[most] == np.max(over.get_alpha())
            red, _, blue, _ = over.cmap(1.0)
            assert red > blue and over.cmap(0.0)[2] > over.cmap(0.0)[0]
        assert bar.get_ylabel() == "value of a superpixel"
        assert e.plot([0, 1], "dark").axes[1].get_title().startswith("dark\n")
        assert e._repr_png_()[:4] == b"\x89PNG"

    def test_no_label_is_cut(self):
        names = ["a name of a class that goes on and on " * 3, "short"]
        figure = ImageExplainer(bright, classes=names, nsamples=40)([photo(32), photo(33)]).plot([0, 1])
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        for ax in figure.axes:
            low, high = ax.get_ylim()
            ticks = [label for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high and ax.axison]
            for text in (ax.title, ax.yaxis.label, *ticks):
                box = text.get_window_extent()
                assert not text.get_text() or (
                    box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
                )

    def test_pixels_and_flat_values(self):
        x = np.stack([photo(s).astype(np.float32) / 255 for s in range(2)])
        e = ImageExplainer(network(), fill=0)(x)
        figure = e.plot(1, output=[2, 0])
        np.testing.assert_allclose(figure.axes[1].images[1].get_array(), e.pixel_values(1, 2), rtol=1e-6)
        assert figure.axes[-1].get_ylabel() == "value of a pixel"
        blank = ImageExplainer(lambda images: np.zeros(len(images)))(np.zeros((8, 8), np.uint8))
        assert blank.plot().axes[1].get_title() == "0 → 0"

    def test_bad_parameters_are_named(self):
        e = ImageExplainer(bright, nsamples=40)(photo())
        for bad in ({"max_outputs": 0}, {"alpha": 2}, {"output": []}, {"output": 2}, {"index": []}):
            with pytest.raises(ParameterError, match=next(iter(bad))):
                e.plot(**bad)
        with pytest.raises(IndexError):
            e.plot(5)
