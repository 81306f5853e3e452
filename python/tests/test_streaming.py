"""Global importances without local values: raw rows are transformed in pieces, and the means are those of all rows."""

import numpy as np
import pytest

from whylight import LinearExplainer, TreeExplainer, _progress

ensemble = pytest.importorskip("sklearn.ensemble")
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.preprocessing import MaxAbsScaler, StandardScaler  # noqa: E402

#: Bytes of 30 rows, so that the last piece of 400 has 10.
LIMIT = 30 * 6 * 8


class Watched(StandardScaler):
    """A scaler that knows how many rows it has seen at a time."""

    def fit(self, x, y=None):
        self.seen = []
        return super().fit(x, y)

    def transform(self, x, copy=None):
        self.seen.append(x.shape[0])
        return super().transform(x, copy)


@pytest.fixture
def scaler(complete):
    return Watched().fit(complete)


@pytest.fixture
def explained(complete, scaler):
    """The explanation of rows by a forest that was fitted to some labels, and the rows that were seen at a time."""

    def explain(labels, x=complete, **options):
        kind = ensemble.RandomForestRegressor if labels.dtype.kind == "f" else ensemble.RandomForestClassifier
        model = kind(n_estimators=5, random_state=0).fit(StandardScaler().fit_transform(complete), labels)
        explainer = TreeExplainer(model, transformations=[(slice(0, 6), scaler)], device="cpu", **options)
        scaler.seen = []
        return explainer.explain_global(x, include_local=False), max(scaler.seen)

    return explain


@pytest.mark.parametrize("labels", ["target", "binary", "three"])
def test_rows_are_transformed_in_pieces(request, complete, scaler, explained, labels):
    y = request.getfixturevalue(labels)
    whole, most = explained(y)
    assert most == 400
    pieces, most = explained(y, memory_limit=LIMIT)
    assert most == 30
    np.testing.assert_allclose(pieces.global_importance_values, whole.global_importance_values, rtol=1e-6)
    np.testing.assert_allclose(pieces.engineered.spread, whole.engineered.spread, rtol=1e-6)
    # That of a sum of features is not known from theirs.
    assert pieces.spread is None
    assert pieces.expected_values == whole.expected_values
    if labels != "target":
        np.testing.assert_allclose(pieces.per_class_values, whole.per_class_values, rtol=1e-6)
    assert pieces.details["rows"] == 400 and pieces.details["additivity_rows"] == 400
    assert pieces.additivity_error == pytest.approx(whole.additivity_error, abs=1e-6)
    # What is asked for afterwards is that of all rows.
    scaler.seen = []
    predicted = pieces.eval_y_predicted
    if labels != "target":
        assert np.shape(pieces.eval_y_predicted_proba) == (400, len(np.unique(y)))
    assert max(scaler.seen) == 30
    assert predicted == whole.eval_y_predicted and len(predicted) == 400
    assert pieces.eval_data == complete.tolist()
    assert pieces.engineered.eval_data == whole.engineered.eval_data == scaler.transform(complete).tolist()
    assert pieces.engineered.data.shape == (400, 6)


def streamed(model, x, scaler, **options):
    """The linear model's explanation at once, and in pieces."""
    transformations = [(slice(0, 6), scaler)]
    return (
        LinearExplainer(
            model, x, transformations=transformations, device="cpu", memory_limit=limit, **options
        ).explain_global(x, include_local=False)
        for limit in (None, LIMIT)
    )


def test_what_is_to_know_of_every_piece_is_said_once(complete, target):
    twice = np.column_stack([complete[:, :5], complete[:, 4]])
    scaler = Watched().fit(twice)
    model = Ridge().fit(scaler.transform(twice), target)
    whole, pieces = streamed(model, twice, scaler, value_function="conditional")
    assert max(scaler.seen[-3:]) == 30
    assert pieces.notes == whole.notes and len(pieces.notes) == 1


@pytest.mark.parametrize("form", ["list", "pandas", "polars", "pyarrow"])
def test_pieces_of_any_table(form, explained, complete, target):
    whole, _ = explained(target)
    library = form != "list" and pytest.importorskip(form)
    x = {
        "list": lambda: complete.tolist(),
        # Slices go by position, whatever the labels.
        "pandas": lambda: library.DataFrame(complete, index=np.linspace(1, 0, 400)),
        "polars": lambda: library.DataFrame(complete, schema=list("abcdef")),
        "pyarrow": lambda: library.table(dict(zip("abcdef", complete.T, strict=True))),
    }[form]()
    pieces, most = explained(target, x, memory_limit=LIMIT)
    assert most == 30
    np.testing.assert_allclose(pieces.global_importance_values, whole.global_importance_values, rtol=1e-6)


def test_pieces_of_sparse_rows(complete, target):
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.coo_matrix(complete * (np.abs(complete) > 1))
    scaler = MaxAbsScaler().fit(x)
    model = Ridge().fit(scaler.transform(x), target)
    whole, pieces = streamed(model, x, scaler)
    np.testing.assert_allclose(pieces.global_importance_values, whole.global_importance_values, rtol=1e-6)


def test_the_progress_of_pieces_is_that_of_all_rows(explained, target, capsys, monkeypatch):
    monkeypatch.setattr(_progress, "SECONDS", 0.0)
    explained(target, memory_limit=LIMIT, show_progress=True)
    said = capsys.readouterr().err
    assert "400 of 400 rows" in said and " of 30 rows" not in said
    assert said.count("\n") == 1
