"""Images of black boxes: superpixels, fills, and whatever images come as."""

import sys

import coalitions
import numpy as np
import pytest
from pictures import TILES, added, bright, photo, weighted

from whylight import ImageExplainer
from whylight.errors import DataError, FileError, ModelError, ParameterError, ShapeError, UnsupportedError

pytest.importorskip("skimage")
pillow = pytest.importorskip("PIL.Image")


class TestSuperpixels:
    def test_values_of_a_sum_are_exact(self):
        image = photo()
        e = ImageExplainer(weighted, fill=7)(image)
        (segments,), (values,) = e.image_segments, e.values
        assert 8 < len(values) == segments.max() + 1 <= 60 and segments.shape == (16, 24)
        np.testing.assert_allclose(values, added(image, 7, segments), atol=1e-5)
        np.testing.assert_allclose(e.base_values, weighted(np.full_like(image, 7)[None]), rtol=1e-6)
        np.testing.assert_allclose(e.sums, weighted(image[None]), rtol=1e-6)
        assert e.method == "kernel_shap" and e.standard_errors[0].max() < 1e-5 and e.completeness_delta is None

    def test_values_are_those_of_the_definition(self):
        image, labels = photo(1), TILES // 3
        e = ImageExplainer(bright, segmentation=labels, fill="mean", classes=["lit", "dark"])(image)
        filled = np.broadcast_to(image.mean((0, 1)).round().astype(np.uint8), image.shape)
        worth = []
        for number in range(2**8):
            there = (number >> labels & 1).astype(bool)
            worth.append(bright(np.where(there[:, :, None], image, filled)[None])[0])
        np.testing.assert_allclose(e.values[0], coalitions.values(np.array(worth)), atol=1e-6)
        np.testing.assert_allclose(e.base_values[0], worth[0], atol=1e-7)
        assert e.output_names == ["lit", "dark"] == e.classes and e.model_task == "classification"

    def test_a_planted_patch_is_found(self):
        image = np.full((32, 32, 3), 40, np.uint8)
        image[8:20, 12:24] = (200, 30, 30)

        def red(images):
            return (images[..., 0].astype(int) - images[..., 1] > 100).mean((1, 2))

        e = ImageExplainer(red, n_segments=20, fill="blur")(image)
        found = e.pixel_values() > 0.2 * e.pixel_values().max()
        patch = np.zeros((32, 32), bool)
        patch[8:20, 12:24] = True
        assert (found & patch).sum() / (found | patch).sum() > 0.8

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16, np.float64])
    def test_fills(self, dtype):
        image, other = photo(2, dtype=dtype), photo(3, dtype=dtype)
        seen = []

        def model(images):
            seen.append(images)
            return images.mean((1, 2, 3))

        blank = {}
        for name, fill in {"mean": "mean", "blur": "blur", "n": 9, "colour": (1, 2, 3), "image": other}.items():
            seen.clear()
            ImageExplainer(model, fill=fill, n_segments=6)(image)
            blank[name] = seen[0][0]
            assert all(images.dtype == dtype for images in seen)
        np.testing.assert_allclose(
            blank["mean"][0, 0], image.mean((0, 1)), atol=0.51 if np.dtype(dtype).kind != "f" else 1e-3
        )
        assert np.ptp(blank["mean"], axis=(0, 1)).max() == 0
        assert 0 < blank["blur"].astype(float).std() < 0.6 * image.std()
        assert (blank["n"] == 9).all() and (blank["colour"] == [1, 2, 3]).all()
        np.testing.assert_array_equal(blank["image"], other)

    def test_what_is_as_its_fill_plays_no_part(self):
        image = photo(4)
        image[TILES == 7] = 255
        asked = []

        def model(images):
            asked.append(len(images))
            return bright(images)

        image[TILES // 3 == 2] = 255
        asked.clear()
        e = ImageExplainer(model, segmentation=TILES // 3, fill=255)(image)
        assert (e.values[0][2] == 0).all() and (e.standard_errors[0][2] == 0).all()
        # All coalitions of the seven others, and the empty image some times more.
        assert 2**7 <= sum(asked) <= 2**7 + 8
        blank = ImageExplainer(model, fill=3)(np.full((8, 8, 3), 3, np.uint8).repeat(3, 0).repeat(3, 1))
        assert (blank.values[0] == 0).all()

    def test_the_same_seed_gives_the_same_values_whatever_was_asked_before(self):
        images = [photo(seed) for seed in (5, 6, 7)]
        explainer = ImageExplainer(bright, nsamples=60, seed=3)
        together = explainer(images)
        alone = explainer(images[2])
        np.testing.assert_array_equal(together.values[2], alone.values[0])
        np.testing.assert_array_equal(together[2].standard_errors[0], alone.standard_errors[0])
        small = ImageExplainer(bright, nsamples=60, seed=3, memory_limit=10_000, threads=1)(images[2])
        np.testing.assert_allclose(small.values[0], alone.values[0], atol=1e-7)
        other = ImageExplainer(bright, nsamples=60, seed=4)(images[2])
        assert (other.values[0] != alone.values[0]).any() and alone.standard_errors[0].max() > 0
        assert together.seed == 3 and together.details["n_segments"][2] == len(alone.values[0])

    def test_a_memory_limit_bounds_what_is_asked_at_a_time(self):
        asked = []

        def model(images):
            asked.append(images.nbytes)
            return weighted(images)

        image = photo(8)
        ImageExplainer(model, memory_limit=10 * image.nbytes)(image)
        assert max(asked) == 10 * image.nbytes and len(asked) > 100
        asked.clear()
        ImageExplainer(model, memory_limit=1, nsamples=20)(image)
        assert set(asked) == {image.nbytes}

    def test_outputs_by_name_and_position(self):
        image = photo(9)
        names = ["lit", "dark"]
        both = ImageExplainer(bright, classes=names)(image)
        one = ImageExplainer(bright, classes=names, outputs=["dark"])(image)
        np.testing.assert_allclose(one.values[0], both.values[0][:, 1], atol=1e-6)
        assert one.output_names == ["dark"] and one.values[0].ndim == 1
        turned = ImageExplainer(bright, outputs=[1, 0])(image)
        np.testing.assert_allclose(turned.values[0], both.values[0][:, ::-1], atol=1e-6)
        assert turned.output_names == ["output 1", "output 0"]

    def test_an_object_with_classes_and_a_preprocess(self):
        from sklearn.linear_model import LogisticRegression

        x = np.random.default_rng(0).random((60, 6, 6))
        y = np.where(x[:, :3, :3].mean((1, 2)) > 0.5, "left", "right")
        model = LogisticRegression(C=50).fit(x.reshape(60, -1), y)
        explainer = ImageExplainer(
            model, preprocess=lambda images: images.reshape(len(images), -1), fill=0.5, n_segments=9
        )
        e = explainer.explain_local(x[0])
        assert e.classes == ["left", "right"] == e.output_names and e.model_task == "classification"
        np.testing.assert_allclose(e.sums, model.predict_proba(x[:1].reshape(1, -1)), atol=1e-6)
        named = explainer.explain_local(x[0], n_segments=4, classes=["a", "b"])
        assert named.output_names == ["a", "b"] and len(named.values[0]) < len(e.values[0])


class TestWhatImagesComeAs:
    def test_paths_images_and_arrays_are_alike(self, tmp_path):
        image = photo(10)
        path = tmp_path / "one.png"
        pillow.fromarray(image).save(path)
        explainer = ImageExplainer(weighted, nsamples=40)
        expected = explainer(image)
        np.testing.assert_array_equal(expected.images[0], image)
        for given in (path, str(path), [path], pillow.open(path), image[None], [image], image.tolist()):
            e = explainer(given)
            assert len(e) == 1
            np.testing.assert_allclose(e.values[0], expected.values[0], atol=1e-6)
        mixed = explainer([path, image, pillow.open(path)])
        assert len(mixed) == 3 and mixed.base_values.shape == (3,)

    def test_sizes(self, tmp_path):
        path = tmp_path / "large.png"
        pillow.fromarray(photo(11).repeat(4, 0).repeat(4, 1)).save(path)
        e = ImageExplainer(weighted, size=(16, 24), nsamples=40)([path, photo(11)])
        assert [image.shape for image in e.images] == [(16, 24, 3)] * 2
        ramp = np.tile(np.arange(48.0), (32, 1))
        halved = ImageExplainer(weighted, size=(16, 24), nsamples=40)(ramp).images[0]
        np.testing.assert_allclose(halved[:, 1:-1, 0], np.tile(np.arange(24) * 2 + 0.5, (16, 1))[:, 1:-1], atol=1e-4)
        square = ImageExplainer(lambda x: x.mean((1, 2, 3)), size=8, nsamples=40)(photo(11).astype(np.float32))
        assert square.images[0].shape == (8, 8, 3) and square.images[0].dtype == np.float32

    def test_grey_images_and_different_sizes(self):
        greys = [photo(12)[:, :, 0], photo(13)[:10, :9, 0]]
        shapes = set()

        def model(images):
            shapes.add(images.shape[1:])
            return images.mean((1, 2, 3))

        e = ImageExplainer(model)(greys)
        assert shapes == {(16, 24, 1), (10, 9, 1)}
        for grey, values, segments in zip(greys, e.values, e.image_segments, strict=True):
            fill = grey.mean().round()
            each = np.bincount(segments.ravel(), (grey - fill).ravel()) / grey.size
            np.testing.assert_allclose(values, each, atol=1e-5)
        np.testing.assert_allclose(e.base_values, [grey.mean().round() for grey in greys])

    def test_channels_first_by_name(self):
        image = photo(14)
        shapes = set()

        def model(images):
            shapes.add(images.shape[1:])
            return weighted(np.moveaxis(images, 1, -1))

        explainer = ImageExplainer(model, layout="NCHW", fill=7)
        e = explainer(np.moveaxis(image, -1, 0)[None])
        assert shapes == {(3, 16, 24)}
        np.testing.assert_array_equal(e.images[0], image)
        np.testing.assert_allclose(e.values[0], added(image, 7, e.image_segments[0]), atol=1e-5)

    @pytest.mark.parametrize(
        ("images", "error", "said"),
        [
            ([], ShapeError, "the images: none"),
            (np.zeros((0, 4, 4, 3)), ShapeError, "none"),
            (np.zeros(5), ShapeError, "shape .5,."),
            (np.zeros((2, 3, 16, 24)), ShapeError, 'layout="NCHW"'),
            (np.zeros((7, 16, 24)), ShapeError, "no axis looks like channels"),
            ([np.zeros((4, 0, 3))], ShapeError, "no pixels"),
            (np.full((4, 4, 3), np.nan), DataError, "not finite"),
            (np.full((4, 4, 3), "a"), DataError, "expected numbers"),
            ("nowhere.png", FileError, "nowhere.png: no such file"),
            (__file__, FileError, "no image that Pillow knows"),
        ],
    )
    def test_bad_images_are_named(self, images, error, said):
        with pytest.raises(error, match=said):
            ImageExplainer(weighted)(images)

    def test_a_cut_file_is_named(self, tmp_path):
        path = tmp_path / "cut.png"
        pillow.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(FileError, match="cut.png"):
            ImageExplainer(weighted)([path])

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"size": (0, 4)}, "size"),
            ({"size": "big"}, "size"),
            ({"layout": "HWC"}, "layout"),
            ({"method": "best"}, "method"),
            ({"preprocess": 3}, "preprocess"),
            ({"n_segments": 0}, "n_segments"),
            ({"compactness": 0}, "compactness"),
            ({"sigma": -1}, "sigma"),
            ({"fill": "gray"}, "fill"),
            ({"classes": "ab"}, "classes"),
            ({"background": [photo()]}, "background"),
            ({"background": [photo()], "fill": 3}, "fill"),
            ({"seed": -1}, "seed"),
            ({"memory_limit": 0}, "memory_limit"),
            ({"output_name": "y"}, "output_name"),
        ],
    )
    def test_bad_parameters_are_named(self, options, said):
        with pytest.raises(ParameterError, match=said):
            ImageExplainer(weighted, **options)

    @pytest.mark.parametrize(
        ("options", "error", "said"),
        [
            ({"fill": 300}, ParameterError, "300 is not allowed in images of uint8"),
            ({"fill": (1, 2)}, ParameterError, "a colour of 2 numbers"),
            ({"fill": "nowhere.png"}, FileError, "nowhere.png"),
            ({"fill": photo()[:, :, :1]}, ShapeError, "fill"),
            ({"segmentation": TILES[:8]}, ShapeError, "segmentation"),
            ({"segmentation": lambda image: image}, ShapeError, "segmentation"),
            ({"classes": ["a", "b", "c"]}, ParameterError, "3 names"),
            ({"outputs": ["b"]}, ParameterError, "'b' is not allowed"),
            ({"outputs": []}, ParameterError, "outputs"),
            ({"preprocess": lambda images: images[:0]}, ShapeError, "preprocess"),
        ],
    )
    def test_what_does_not_fit_the_images_is_named(self, options, error, said):
        with pytest.raises(error, match=said):
            ImageExplainer(weighted, **options)(photo())

    @pytest.mark.parametrize(("module", "way"), [("skimage.segmentation", "superpixels"), ("PIL.Image", "image files")])
    def test_what_is_not_installed_is_named(self, module, way, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, module, None)
        given = photo() if way == "superpixels" else tmp_path / "one.png"
        with pytest.raises(UnsupportedError, match=rf"{way} need .*pip install .whylight\[image\]"):
            ImageExplainer(weighted)(given)

    def test_bad_answers_are_named(self):
        for answer in (lambda x: x[:1].mean((1, 2, 3)), lambda x: "text", lambda x: x[:, 0]):
            with pytest.raises(ModelError, match="lambda"):
                ImageExplainer(answer, memory_limit=4000)(photo())
        with pytest.raises(UnsupportedError, match="explains torch modules"):
            ImageExplainer(weighted, method="deep")(photo())
