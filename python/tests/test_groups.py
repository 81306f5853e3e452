"""Groups of features that play as one: against the definition, of models and of Pipelines on raw columns."""

import numpy as np
import pytest
from coalitions import single, values, worths

import whylight
from whylight import TabularExplainer, TreeExplainer
from whylight.transformations import Transformations

ensemble = pytest.importorskip("sklearn.ensemble")

#: The players of `GROUPS`, in the order of their first features.
PLAYERS = [[0, 4], [1], [2, 5, 3]]
GROUPS = {"rest": [2, np.int64(5), 3], "pair": [4, 0]}
NAMES = ["pair", "b", "rest"]


@pytest.fixture(scope="module")
def regressor(complete, target):
    return ensemble.GradientBoostingRegressor(n_estimators=15, max_depth=3, random_state=0).fit(complete, target)


@pytest.fixture(scope="module")
def raw():
    """Rows of numbers, categories, and a column that no transformation uses."""
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(6)
    frame = pandas.DataFrame(
        {
            "idle": generator.normal(size=300),
            "town": generator.choice(["Bonn", "Köln", "Ulm"], 300),
            "age": generator.integers(18, 90, 300).astype(float),
            "car": generator.choice(["none", "one", "two"], 300),
            "pay": generator.normal(size=300),
        }
    )
    # Each town and each car counts otherwise: columns of one feature meet on the paths of the trees.
    share = frame["town"].map({"Bonn": 1, "Köln": 0, "Ulm": -1}) * frame["car"].map({"none": 1, "one": 0, "two": 2})
    pay = frame["pay"] * share + 0.02 * frame["age"]
    return frame, pay.to_numpy(), np.where(pay > pay.median(), "rich", "poor")


@pytest.fixture(scope="module", params=["number", "classes"])
def pipeline(request, raw):
    """A Pipeline with one-hot columns, and its predictions from raw rows."""
    from sklearn import compose, pipeline, preprocessing

    frame, pay, classes = raw
    coder = preprocessing.OneHotEncoder(sparse_output=False)
    columns = compose.ColumnTransformer(
        [("code", coder, ["car", "town"]), ("scale", preprocessing.StandardScaler(), ["pay", "age"])]
    )
    if request.param == "number":
        model = pipeline.make_pipeline(columns, ensemble.GradientBoostingRegressor(max_depth=5, random_state=0))
        return model.fit(frame, pay), model.predict, {}
    model = pipeline.make_pipeline(columns, ensemble.GradientBoostingClassifier(max_depth=5, random_state=0))
    return model.fit(frame, classes), lambda x: model.predict_proba(x)[:, 1], {"output": "probability"}


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_groups_play_as_one(regressor, complete, index):
    background = complete[100:107]
    explainer = TreeExplainer(regressor, background, groups=GROUPS, index=index, features=list("abcdef"), device="cpu")
    e = explainer(complete[:50])
    assert e.feature_names == e.features == NAMES and e.values.shape == (50, 3)
    assert e.details["groups"] == {"pair": ["e", "a"], "rest": ["c", "f", "d"]}
    for row in range(5):
        worth = worths(regressor.predict, complete[row], background, PLAYERS)
        np.testing.assert_allclose(e.values[row], values(worth, index)[:, 0], atol=1e-5)
    # The rows stay whole, also where only some players are asked for.
    assert np.shape(e.data) == np.shape(e[:, "rest"].data) == (50, 6)
    assert e[:, "rest"].feature_names == ["rest"] and e[3:5].feature_names == NAMES
    assert e._repr_html_() and e.plot.beeswarm() and e.plot.waterfall() and e.to_shap().data is None
    streamed = explainer.explain_global(complete[:50], include_local=False)
    np.testing.assert_allclose(streamed.get_ranked_global_values(), e.get_ranked_global_values(), rtol=1e-6)
    assert streamed.get_ranked_global_names() == e.get_ranked_global_names()


def test_groups_of_probabilities_and_losses(complete, binary):
    model = ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0).fit(complete, binary)
    outputs = {"probability": lambda p: p[:, 1], "log_loss": lambda p: -np.log(p)}
    for output, of in outputs.items():
        e = TreeExplainer(model, complete[100:107], groups=GROUPS, output=output, device="cpu")(complete[:5])
        for row in range(5):
            worth = worths(lambda x, of=of: of(model.predict_proba(x)), complete[row], complete[100:107], PLAYERS)
            np.testing.assert_allclose(e.values[row].reshape(3, -1), values(worth), atol=2e-6)


def test_a_hierarchy_plays_by_its_outermost_names(regressor, complete):
    nested = {"pair": {"first": [4], "second": {"own": [0]}}, "rest": {"x": [2, 3], "y": [5]}}
    flat = TreeExplainer(regressor, groups=GROUPS, device="cpu")(complete)
    deep = TreeExplainer(regressor, groups=nested, device="cpu")(complete)
    np.testing.assert_allclose(deep.values, flat.values, atol=1e-7)
    assert deep.feature_names == ["pair", "f1", "rest"]


def test_names_of_the_model_and_of_the_user(complete, target):
    pandas = pytest.importorskip("pandas")
    xgboost = pytest.importorskip("xgboost")
    frame = pandas.DataFrame(complete, columns=list("abcdef"))
    model = xgboost.XGBRegressor(n_estimators=10, max_depth=3).fit(frame, target)
    named = TreeExplainer(model, groups={"pair": ["e", "a"], "rest": list("cfd")}, device="cpu")(frame)
    placed = TreeExplainer(model, groups=GROUPS, device="cpu")(frame)
    np.testing.assert_array_equal(named.values, placed.values)
    assert named.feature_names == placed.feature_names == NAMES
    own = TreeExplainer(model, groups={"g": ["U", "V"]}, features=list("UVWXYZ"), device="cpu")(frame)
    assert own.feature_names == ["g", "W", "X", "Y", "Z"] and own.details["groups"] == {"g": ["U", "V"]}
    tabular = TabularExplainer(model, groups=GROUPS, device="cpu")(frame)
    np.testing.assert_array_equal(tabular.values, named.values)


def test_interactions_are_of_the_players(regressor, complete):
    explainer = TreeExplainer(regressor, complete[:20], groups=GROUPS, device="cpu")
    found = explainer.interactions(complete[:30])
    assert found.shape == (30, 3, 3)
    np.testing.assert_allclose(found.sum(axis=2), explainer(complete[:30]).values, atol=1e-5)


def test_raw_features_play_with_all_their_columns(pipeline, raw, tmp_path):
    pandas = pytest.importorskip("pandas")
    model, predict, options = pipeline
    frame = raw[0]
    background = frame[100:107]
    explainer = TreeExplainer(model, background, groups="transformations", device="cpu", **options)
    e = explainer(frame[:40])
    assert e.feature_names == list(frame.columns) and e.is_raw and not e.is_engineered and e.engineered is None
    assert e.data.tolist() == frame[:40].to_numpy().tolist()
    assert list(e.details["groups"]) == ["car", "town", "pay", "age"]
    assert e.details["groups"]["town"] == ["code__town_Bonn", "code__town_Köln", "code__town_Ulm"]
    np.testing.assert_allclose(e.values.sum(axis=1) + e.base_values, predict(frame[:40]), atol=1e-5)

    def predicted(cells):
        return predict(pandas.DataFrame(cells, columns=frame.columns).astype(frame.dtypes))

    for row in range(3):
        cells = frame.to_numpy(dtype=object)
        worth = worths(predicted, cells[row], cells[100:107], single(5))
        np.testing.assert_allclose(e.values[row], values(worth)[:, 0], atol=2e-6)
    assert not e.values[:, 0].any()
    summed = TreeExplainer(model, background, device="cpu", **options)(frame[:40])
    assert summed.engineered is not None and np.abs(summed.values - e.values).max() > 1e-4
    # Without local values, piece by piece.
    pieces = TreeExplainer(model, background, groups="transformations", memory_limit=500, device="cpu", **options)
    streamed = pieces.explain_global(frame[:40], include_local=False)
    np.testing.assert_allclose(streamed.spread, explainer.explain_global(frame[:40]).spread, rtol=1e-6, atol=1e-12)
    assert streamed.is_raw and streamed.get_feature_importance_dict().keys() == set(frame.columns)
    # Columns in another order are found by their names.
    turned = explainer(frame[:40][frame.columns[::-1]])
    assert turned.feature_names == list(frame.columns[::-1])
    np.testing.assert_allclose(turned.values, e.values[:, ::-1], atol=1e-6)
    whylight.save_explanation(e, tmp_path / "e")
    assert whylight.load_explanation(tmp_path / "e").details == e.details


def test_raw_features_play_without_a_background(raw):
    from sklearn import compose, preprocessing

    frame, pay, _ = raw
    columns = compose.ColumnTransformer(
        [("code", preprocessing.OneHotEncoder(sparse_output=False), ["town"]), ("pass", "passthrough", ["pay"])]
    )
    engineered = columns.fit_transform(frame)
    model = ensemble.GradientBoostingRegressor(n_estimators=10, random_state=0).fit(engineered, pay)
    explainer = TreeExplainer(model, transformations=columns, groups="transformations", device="cpu")
    e = explainer(frame[:30])
    own = TreeExplainer(model, groups={"town": [0, 1, 2]}, device="cpu")(engineered[:30])
    np.testing.assert_array_equal(e.values[:, [1, 4]], own.values)
    assert not e.values[:, [0, 2, 3]].any() and e.value_function == "path_dependent"
    found = explainer.interactions(frame[:30])
    assert found.shape == (30, 5, 5)
    np.testing.assert_allclose(found.sum(axis=2), e.values, atol=1e-5)
    one = explainer.explain_local(frame.iloc[3])
    assert np.shape(one.local_importance_values) == (5,) and one.feature_names == list(frame.columns)
    named = TreeExplainer(
        model, transformations=columns, groups="transformations", features=list("vwxyz"), device="cpu"
    )
    assert named(frame[:3]).feature_names == list("vwxyz")
    assert list(named(frame[:3]).details["groups"]) == ["w", "z"]


def test_a_column_of_several_raw_features_is_refused_by_name(complete, target):
    from sklearn.decomposition import PCA

    mixer = PCA(2).fit(complete[:, :2])
    transformations = [([0, 1], mixer), ([2], None)]
    engineered = Transformations(transformations, allow_all_transformations=True).transform(complete)
    model = ensemble.RandomForestRegressor(3, random_state=0).fit(engineered, target)
    explainer = TreeExplainer(
        model,
        transformations=transformations,
        allow_all_transformations=True,
        groups="transformations",
        device="cpu",
    )
    with pytest.raises(whylight.ParameterError, match='groups: "transformations".* comes from f0, f1;'):
        explainer(complete)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ({"g": ["a", "z"]}, "groups: 'z' in the group \"g\" is not allowed.* a, b, c, d, e, f$"),
        ({"g": [6]}, 'groups: 6 in the group "g" is not allowed: positions from 0 to 5'),
        ({"g": [-1]}, 'groups: -1 in the group "g"'),
        ({"g": [True]}, 'groups: True in the group "g"'),
        ({"g": [1.5]}, 'groups: 1.5 in the group "g"'),
        ({"g": "ab"}, "groups: 'ab' as the group \"g\" is not allowed: a list of features"),
        ({"g": 3}, "groups: 3 as the group"),
        ({"g": {"h": "ab"}}, "groups: 'ab' as the group \"h\""),
        ({"g": []}, 'no features in the group "g"'),
        ({"g": ["a", "b"], "h": ["b"]}, 'groups: ".1" twice'),
        ({"g": {"x": ["a"], "y": [0]}}, 'groups: ".0" twice'),
        ({"c": ["a", "b"]}, 'groups: the name "c" is not allowed: a feature outside the group has it'),
        ([["a", "b"]], "groups: .* is not allowed: a dict"),
        ("transformations", 'groups: "transformations" is not allowed without transformations'),
    ],
)
def test_what_are_no_groups_is_refused_by_name(groups, says, regressor):
    with pytest.raises(whylight.ParameterError, match=says):
        TreeExplainer(regressor, groups=groups, features=list("abcdef"), device="cpu")


def test_what_groups_do_not_go_with_is_refused_by_name(regressor, complete, target):
    with pytest.raises(whylight.ParameterError, match="explain_subset: not allowed together with groups"):
        TreeExplainer(regressor, groups=GROUPS, explain_subset=[0])
    with pytest.raises(whylight.ParameterError, match="groups: .* not allowed together with transformations"):
        TreeExplainer(regressor, groups=GROUPS, transformations=[([i], None) for i in range(6)])
    with pytest.raises(whylight.ParameterError, match="no names: name them with features"):
        TreeExplainer(regressor, groups={"g": ["a"]})
    with pytest.raises(whylight.UnsupportedError, match="groups of features"):
        whylight.LinearExplainer((np.ones(6), 0.0), complete, groups=GROUPS)


def test_used_only_leaves_out_what_no_split_tests():
    import xgboost
    from scipy import sparse

    random = np.random.default_rng(3)
    narrow = random.normal(size=(200, 3))
    wide = sparse.lil_matrix((200, 3000))
    for column, place in enumerate((7, 1500, 2999)):
        wide[:, place] = narrow[:, [column]]
    wide = wide.tocsr()
    model = xgboost.XGBRegressor(n_estimators=20, max_depth=3).fit(wide, narrow @ [1.0, -2.0, 0.5])
    whole = whylight.TreeExplainer(model)(wide[:20])
    used = whylight.TreeExplainer(model, used_only=True)(wide[:20])
    assert whole.values.shape == (20, 3000)
    assert used.feature_names == ["f7", "f1500", "f2999"]
    assert (used.values == whole.values[:, [7, 1500, 2999]]).all()
    assert not np.delete(whole.values, [7, 1500, 2999], axis=1).any()
    names = [f"word {i}" for i in range(3000)]
    named = whylight.TreeExplainer(model, used_only=True, features=names)(wide[:20])
    assert named.feature_names == ["word 7", "word 1500", "word 2999"]
    pairs = whylight.TreeExplainer(model, used_only=True).interactions(wide[:5])
    assert pairs.shape == (5, 3, 3)
    np.testing.assert_allclose(pairs.sum(axis=2), used.values[:5], atol=1e-5)
    with pytest.raises(whylight.ParameterError, match="used_only"):
        whylight.TreeExplainer(model, used_only=True, groups={"a": [0, 1]})
