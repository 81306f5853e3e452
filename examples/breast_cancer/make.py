"""Makes the models and the tables of `whylight demo`.

    pip install xgboost-cpu==3.4.1 scikit-learn==1.9.1 numpy==2.5.5 scipy==1.18.1 skl2onnx==1.20.0 onnx==1.23.2
    python make.py

Writes model.json, svc.onnx, rows.csv and background.csv beside itself. The data are scikit-learn's copy of the Wisconsin
breast cancer data (569 tumours, 30 measurements; class 1 is benign). A fifth of the rows, chosen by
class and seed, is held out; rows.csv holds those rows, without the target, and background.csv the others, which
both models were trained on. The support vector machine is that of Azure's how-to for the interpretability package.
"""

import csv
import pathlib
import warnings

import numpy as np
import onnx
import skl2onnx
import sklearn
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"xgboost": "3.4.1", "scikit-learn": "1.9.1", "skl2onnx": "1.20.0"}
# Of probability=True, which scikit-learn 1.11 will not have.
warnings.filterwarnings("ignore", category=FutureWarning)


def main():
    found = {"xgboost": xgb.__version__, "scikit-learn": sklearn.__version__, "skl2onnx": skl2onnx.__version__}
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
    svc = SVC(gamma=0.001, C=100.0, probability=True, random_state=0).fit(train, y_train)
    right = np.mean(svc.predict(held_out) == y_held_out)
    print(f"{len(svc.support_)} support vectors, {right:.1%} classified right")
    onnx.save(skl2onnx.to_onnx(svc, train[:1].astype(np.float32), options={"zipmap": False}), HERE / "svc.onnx")
    for name, table in [("rows.csv", held_out), ("background.csv", train)]:
        with open(HERE / name, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([repr(float(cell)) for cell in row] for row in table)


if __name__ == "__main__":
    main()
