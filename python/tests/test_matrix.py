"""The matrix of what is explained, of scikit-learn's trees: every cell is as defined, or refused by name. The table in
docs/matrix.md is what this test finds; `WHYLIGHT_WRITE_DOCS=1` writes it."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from brute import expectation, histogram_expectation
from coalitions import interactions, single, values, worths

import whylight
from whylight import TreeExplainer

ensemble = pytest.importorskip("sklearn.ensemble")

PAGE = Path(__file__).parents[1] / "docs" / "matrix.md"
BEGIN = "<!-- matrix of scikit-learn: begin (from python/tests/test_matrix.py) -->\n"
END = "<!-- matrix of scikit-learn: end -->\n"
KINDS = ["values", "missing cells", "unseen category", "several outputs"]
HEADER = ["library", "game", "output", *KINDS, "interactions", "GPU"]
FEATURES = 4
GAMES = {"path_dependent": "path-dependent", "interventional": "interventional"}
OUTPUTS = {"raw": "raw margin", "probability": "probability", "log_loss": "log-loss"}


def models():
    """By library and kind of row: a model, rows to explain, and a background. Column 0 has categories."""
    draw = np.random.default_rng(11)
    complete = draw.normal(size=(300, FEATURES)).round(2)
    complete[:, 0] = draw.integers(0, 9, 300)
    score = complete[:, 1] * complete[:, 2] + np.sin(complete[:, 3]) + (complete[:, 0] % 3 == 1)
    two, three = score > 0.3, np.digitize(score, np.quantile(score, [1 / 3, 2 / 3]))
    missing = np.where(draw.random(complete.shape) < 0.15, np.nan, complete)
    has_missing = np.flatnonzero(np.isnan(missing).any(axis=1))
    unseen = missing[:3].copy()
    unseen[:, 0] = [9, 30, 200]

    def boosting(labels):
        return ensemble.GradientBoostingClassifier(n_estimators=12, random_state=0).fit(complete, labels)

    def histogram(labels):
        model = ensemble.HistGradientBoostingClassifier(max_iter=12, max_depth=4, categorical_features=[0])
        return model.fit(missing, labels)

    def forest(labels):
        return ensemble.RandomForestClassifier(8, max_depth=5, random_state=0).fit(missing, labels)

    two_histograms, of_missing = histogram(two), missing[has_missing[:3]]
    return {
        "forests": [
            (forest(two), complete[:3], missing[50:57]),
            (forest(two), of_missing, missing[50:57]),
            None,
            (forest(three), missing[:3], missing[50:57]),
        ],
        "GradientBoosting": [
            (boosting(two), complete[:3], complete[50:57]),
            None,
            None,
            (boosting(three), complete[:3], complete[50:57]),
        ],
        "HistGradientBoosting": [
            (two_histograms, complete[:3], missing[50:57]),
            (two_histograms, of_missing, missing[50:57]),
            (two_histograms, unseen, missing[50:57]),
            (histogram(three), missing[:3], missing[50:57]),
        ],
    }


def predict(model, output):
    """What values add up to, as the library says it."""

    def of(x):
        if output == "raw" and hasattr(model, "decision_function"):
            return model.decision_function(x)
        p = model.predict_proba(x)
        if output == "log_loss":
            return -np.log(p)
        return p[:, 1] if p.shape[1] == 2 else p

    return of


def expected(model, row, coalition):
    """The raw margin but for its constant when the features of a coalition are known, by output."""
    if hasattr(model, "_predictors"):
        cells = model._preprocess_X(row[np.newaxis], reset=False)[0]
        trees = [[histogram_expectation(tree, cells, coalition) for tree in step] for step in model._predictors]
        return np.sum(trees, axis=0)
    if isinstance(model, ensemble.RandomForestClassifier):
        classes = range(model.n_classes_) if model.n_classes_ > 2 else [1]
        trees = [
            [expectation(tree.tree_, tree.tree_.value[:, 0, k], row, coalition) for k in classes]
            for tree in model.estimators_
        ]
        return np.mean(trees, axis=0)
    trees = [
        [expectation(tree.tree_, tree.tree_.value[:, 0, 0], row, coalition) for tree in step]
        for step in model.estimators_
    ]
    return model.learning_rate * np.sum(trees, axis=0)


def worth(model, row, background, game, output):
    if game == "interventional":
        return worths(predict(model, output), row, background, single(FEATURES))
    coalitions = [{f for f in range(FEATURES) if c >> f & 1} for c in range(1 << FEATURES)]
    return np.array([expected(model, row, coalition) for coalition in coalitions])


def outcomes(chosen, game, output, devices):
    """Of values and of interactions: "exact", after each was compared with the definition, or what was refused."""
    model, x, background = chosen
    given, games, found = (background if game == "interventional" else None), None, {False: set(), True: set()}
    for device, pairs in product(devices, found):
        try:
            explainer = TreeExplainer(model, given, value_function=game, output=output, device=device)
            explained = explainer.interactions(x) if pairs else explainer(x).values
        except (whylight.UnsupportedError, whylight.ParameterError) as error:
            found[pairs].add(str(error).split(" is not ")[0].removeprefix("output: "))
            continue
        games = games or [worth(model, row, background, game, output) for row in x]
        for row, of_row in zip(explained, games, strict=True):
            defined = interactions(of_row) if pairs else values(of_row)
            scale = max(1.0, np.abs(of_row).max())
            np.testing.assert_allclose(row.reshape(defined.shape), defined, atol=2e-6 * scale, rtol=0)
        found[pairs].add("exact")
    ((plain,), (pairs,)) = found.values()
    return plain, pairs


def one(known):
    """What holds of all models alike: the table cannot say that some are exact and some refused."""
    known = [outcome for outcome in known if outcome]
    assert len({outcome == "exact" for outcome in known}) == 1, known
    return known[0]


def gpu():
    try:
        TreeExplainer(ensemble.RandomForestRegressor(1).fit([[0], [1]], [0, 1]), device="gpu:0")
    except whylight.DeviceError:
        if os.environ.get("WHYLIGHT_REQUIRE_GPU") == "1":
            raise
        return None
    return "gpu:0"


def table(lines):
    reasons = []

    def text(found):
        if found in (None, "exact"):
            return found or "—"
        if found not in reasons:
            reasons.append(found)
        return f"refused {reasons.index(found) + 1}"

    rows = [HEADER, ["---"] * len(HEADER)]
    rows += [[*names, *map(text, cells)] for names, cells in lines]
    cells = ["| " + " | ".join(row) + " |\n" for row in rows]
    return "".join([*cells, "\nRefused:\n\n", *(f"{i}. {reason}\n" for i, reason in enumerate(reasons, 1))])


def without_gpu(text):
    return [line.rsplit("|", 2)[0] for line in text.splitlines()]


def test_every_cell_is_exact_or_refused_by_name_and_the_table_says_which():
    device = gpu()
    lines = []
    for library, kinds in models().items():
        for (game, game_name), (output, output_name) in product(GAMES.items(), OUTPUTS.items()):
            devices = ["cpu", device] if device else ["cpu"]
            of_kinds = [outcomes(chosen, game, output, devices) if chosen else (None, None) for chosen in kinds]
            cells, pairs = zip(*of_kinds, strict=True)
            lines.append(([library, game_name, output_name], [*cells, one(pairs), cells[0]]))
    found = table(lines)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    written, after = rest.split(END)
    if os.environ.get("WHYLIGHT_WRITE_DOCS") == "1":
        assert device, "the table has a column that takes a GPU"
        PAGE.write_text(before + BEGIN + found + END + after, encoding="utf-8")
    elif device:
        assert written == found
    else:
        assert without_gpu(written) == without_gpu(found)
