"""Adds margins of ranges of iterations to cases that are already in the corpus.

    python ranges.py xgboost tests/corpus      # likewise lightgbm and catboost, each in its own environment

Each case gets range_margin.npy, (ranges, rows, outputs): what the library itself predicts from the saved model with
each range of iterations in RANGES, as raw margins. xgboost 3.4.1, lightgbm 4.7.0, catboost 1.2.10 and numpy as pinned
in the requirements beside this file.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE]

import numpy as np  # noqa: E402

RANGES = [(0, 1), (0, 3), (1, 3), (2, 4)]
CASES = {
    "xgboost": ["early_stopping_all_3_4", "dart_multi_3_4", "softprob_3_4", "forest_3_0"],
    "lightgbm": ["forest_4_7", "forest_binary_4_7", "multiclass_4_7", "regression_nan_4_7"],
    "catboost": ["oblivious_1_2", "lossguide_1_2", "multiclass_1_2"],
}


def xgboost(folder, rows):
    import xgboost as library

    endings = [e for e in ("json", "ubj") if os.path.exists(os.path.join(folder, "model." + e))]
    booster = library.Booster(model_file=os.path.join(folder, "model." + endings[0]))
    data = library.DMatrix(rows, nthread=1)
    count = booster.num_boosted_rounds()
    return library.__version__, count, lambda a, b: booster.predict(data, output_margin=True, iteration_range=(a, b))


def lightgbm(folder, rows):
    import lightgbm as library

    booster = library.Booster(model_file=os.path.join(folder, "model.txt"))

    def predict(a, b):
        # raw_score is a sum over the iterations; the mean is what a forest predicts.
        size = b - a if "average_output" in open(os.path.join(folder, "model.txt")).read() else 1
        return booster.predict(rows, raw_score=True, start_iteration=a, num_iteration=b - a) / size

    return library.__version__, booster.current_iteration(), predict


def catboost(folder, rows):
    import catboost as library

    model = library.CatBoost().load_model(os.path.join(folder, "model.json"), format="json")
    kind = {"prediction_type": "RawFormulaVal", "thread_count": 1}
    return library.__version__, model.tree_count_, lambda a, b: model.predict(rows, ntree_start=a, ntree_end=b, **kind)


def main(name, corpus):
    for case in CASES[name]:
        folder = os.path.join(corpus, name, case)
        rows = np.load(os.path.join(folder, "rows.npy"))
        version, count, predict = globals()[name](folder, rows)
        ranges = [(a, b) for a, b in RANGES if b <= count]
        margins = [np.asarray(predict(a, b), np.float64).reshape(len(rows), -1) for a, b in ranges]
        np.save(os.path.join(folder, "range_margin.npy"), np.array(margins))
        print(version, case, "of", count, "iterations:", ranges)


main(*sys.argv[1:])
