"""Adds the libraries' own predictions to cases that are already in the corpus.

    python responses.py xgboost tests/corpus      # likewise lightgbm and catboost, each in its own environment

Each case gets response.npy, (rows, outputs): what the library itself predicts of the saved model, margins through the
inverse of its link. xgboost 3.4.1, lightgbm 4.7.0, catboost 1.2.10 and numpy as pinned in the requirements beside this
file.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE]

import numpy as np  # noqa: E402

CASES = {
    "xgboost": ["binary_3_4", "cox_3_4", "expectile_3_4", "gamma_3_4", "hinge_3_4", "softprob_3_4"],
    "lightgbm": ["linear_binary_4_7", "linear_forest_4_7", "linear_multiclass_4_7", "multiclass_ova_4_7", "poisson_4_7"],
    # The prediction type, where the default is another, and whether it is of the last class alone.
    "catboost": {"cox_1_2": "Exponent", "logloss_1_2": "Probability", "poisson_1_2": "Exponent",
                 "uncertainty_1_2": "RMSEWithUncertainty"},
}


def xgboost(folder, rows, case):
    import xgboost as library

    endings = [e for e in ("json", "ubj") if os.path.exists(os.path.join(folder, "model." + e))]
    booster = library.Booster(model_file=os.path.join(folder, "model." + endings[0]))
    return library.__version__, booster.predict(library.DMatrix(rows, nthread=1))


def lightgbm(folder, rows, case):
    import lightgbm as library

    booster = library.Booster(model_file=os.path.join(folder, "model.txt"))
    return library.__version__, booster.predict(rows)


def catboost(folder, rows, case):
    import catboost as library

    model = library.CatBoost().load_model(os.path.join(folder, "model.json"), format="json")
    kind = CASES["catboost"][case]
    found = np.asarray(model.predict(rows, prediction_type=kind, thread_count=1))
    return library.__version__, found[:, 1] if kind == "Probability" else found


def main(name, corpus):
    for case in CASES[name]:
        folder = os.path.join(corpus, name, case)
        rows = np.load(os.path.join(folder, "rows.npy"))
        version, found = globals()[name](folder, rows, case)
        found = np.asarray(found)
        np.save(os.path.join(folder, "response.npy"), np.ascontiguousarray(found.reshape(len(rows), -1)))
        print(version, case, found.dtype, found.shape)


main(*sys.argv[1:])
