"""Makes the model and the table of `whylight demo`.

    pip install xgboost-cpu==3.4.1 scikit-learn==1.9.1 numpy==2.5.5 scipy==1.18.1
    python make.py

Writes model.json and rows.csv beside itself. The data are scikit-learn's copy of the Wisconsin
breast cancer data (569 tumours, 30 measurements; class 1 is benign). A fifth of the rows, chosen by
class and seed, is held out; rows.csv holds those rows, without the target.
"""

import csv
import pathlib

import numpy as np
import sklearn
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"xgboost": "3.4.1", "scikit-learn": "1.9.1"}


def main():
    found = {"xgboost": xgb.__version__, "scikit-learn": sklearn.__version__}
    if found != VERSIONS:
        raise SystemExit(f"the files in this folder were made with {VERSIONS}, found {found}")
    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    train, held_out, y_train, y_held_out = train_test_split(
        data.data, data.target, test_size=0.2, stratify=data.target, random_state=0
    )
    booster = xgb.train(
        {"objective": "binary:logistic", "max_depth": 4, "eta": 0.1, "seed": 0, "nthread": 1},
        xgb.DMatrix(train, y_train, feature_names=names),
        num_boost_round=100,
    )
    margin = booster.predict(xgb.DMatrix(held_out, feature_names=names), output_margin=True)
    right = np.mean((margin > 0) == y_held_out)
    print(f"{len(held_out)} rows held out, {right:.1%} of them classified right; versions {found}")
    booster.save_model(HERE / "model.json")
    with open(HERE / "rows.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([repr(float(cell)) for cell in row] for row in held_out)


if __name__ == "__main__":
    main()
