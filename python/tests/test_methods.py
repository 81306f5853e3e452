"""What explains which model, of which rows, where: every cell finds the column that the model goes by, or is refused by
name. The table in docs/methods.md is what this test finds; `WHYLIGHT_WRITE_DOCS=1` writes it."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from test_matrix import gpu

import whylight

pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")
sparse = pytest.importorskip("scipy.sparse")

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
BEGIN = "<!-- methods: begin (from python/tests/test_methods.py) -->\n"
END = "<!-- methods: end -->\n"
ROWS, FEATURES = 240, 4
DATA = ["array", "sparse", "missing cells", "text columns"]


def rows():
    """By kind of data: training rows. Column 1 is the one that the models go by."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(ROWS, FEATURES)).round(2)
    x[draw.random(x.shape) < 0.3] = 0
    missing = x.copy()
    missing[draw.random(x.shape) < 0.1] = np.nan
    table = pd.DataFrame(x, columns=["a", "b", "c", "d"])
    table["a"] = np.where(x[:, 0] > 0, "red", "blue")
    return {"array": x, "sparse": sparse.csr_matrix(x), "missing cells": missing, "text columns": table}


def labels(x):
    table = x.iloc[:, 1:] if hasattr(x, "iloc") else None
    cells = table.to_numpy() if table is not None else x.toarray() if sparse.issparse(x) else x
    b = np.nan_to_num(cells[:, 0 if table is not None else 1].astype(float))
    return (b > 0.1).astype(int)


def models():
    """By kind: what fits a model to some rows and labels."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.svm import SVC

    def pipeline(x, y):
        columns = ["a"] if hasattr(x, "iloc") else [0]
        encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), columns), remainder="passthrough")
        return make_pipeline(encoder, LogisticRegression(C=10)).fit(x, y)

    def histogram(x, y):
        return HistGradientBoostingClassifier(max_iter=8, max_depth=3, min_samples_leaf=5).fit(x, y)

    return {
        "trees": histogram,
        "linear model": lambda x, y: LogisticRegression(C=10).fit(x, y),
        "support vectors": lambda x, y: SVC(C=5, random_state=0).fit(x, y),
        "network": lambda x, y: MLPClassifier((8,), max_iter=400, random_state=0).fit(x, y),
        "Pipeline": pipeline,
        "function": lambda x, y: function(pipeline(x, y)),
    }


def function(model):
    return lambda x: model.predict_proba(x)


def explained(kind, model, x, y, device):
    """The global importances of the columns."""
    options = {"device": device, "show_progress": False}
    few = x[:40]
    if kind == "TreeExplainer":
        return whylight.TreeExplainer(model, **options).explain_global(few)
    if kind == "PFIExplainer":
        return whylight.PFIExplainer(model, classes=["no", "yes"], **options).explain_global(x, y)
    if kind == "MimicExplainer":
        options.update(explainable_model=whylight.LGBMExplainableModel, explainable_model_args={"n_estimators": 30})
        return whylight.MimicExplainer(model, x, **options).explain_global(few)
    return getattr(whylight, kind)(model, x, **options).explain_global(few)


KINDS = [
    "TabularExplainer",
    "TreeExplainer",
    "LinearExplainer",
    "DeepExplainer",
    "KernelExplainer",
    "LIMEExplainer",
    "MimicExplainer",
    "PFIExplainer",
]


def outcome(kind, make, x, device):
    """ "yes" after the planted column came first, what was refused, or None where the library takes no such rows."""
    y = labels(x)
    try:
        model = make(x, y)
        answer = getattr(model, "predict", model)
        answer(x[:3])
    except (ValueError, TypeError):
        return None, None
    try:
        e = explained(kind, model, x, y, device)
    except whylight.WhylightError as error:
        return type(error).__name__, None
    order = np.argsort(-np.asarray(e.global_importance_values))
    assert order[0] == 1, (kind, e.global_importance_values)
    return "yes", e.device


def table(device):
    lines = [["explainer", "model", *DATA, "on a GPU"], ["---"] * (len(DATA) + 3)]
    for kind in KINDS:
        for name, make in models().items():
            cells = [outcome(kind, make, x, "cpu")[0] for x in rows().values()]
            if set(cells) <= {None, "UnsupportedError"}:
                continue
            of_gpu = "?"
            if device:
                known, place = outcome(kind, make, rows()["array"], device)
                of_gpu = "yes" if known == "yes" and place.startswith("gpu:") else "CPU, and says so"
            marks = {"yes": "✓", None: "—", "UnsupportedError": "refused"}
            lines.append([kind, name, *(marks.get(cell, "refused") for cell in cells), of_gpu.replace("yes", "✓")])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def test_every_cell_finds_the_feature_or_is_refused_and_the_table_says_which():
    device = gpu()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = table(device)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    written, after = rest.split(END)
    if os.environ.get("WHYLIGHT_WRITE_DOCS") == "1":
        assert device, "the table has a column that takes a GPU"
        PAGE.write_text(before + BEGIN + found + END + after, encoding="utf-8")
        return

    def without_gpu(text):
        return [line.rsplit("|", 2)[0] for line in text.splitlines()]

    if device:
        assert written == found
    else:
        assert without_gpu(written) == without_gpu(found)
