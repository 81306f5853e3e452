"""Makes tests/corpus/lime/fits.json with lime itself: samples that it drew, and what it fits to them; and wide.json, of
fewer samples than features.

    pip install -r requirements-lime-0.2.0.1.txt
    python lime.py

Samples and answers are rounded before lime fits them, so that the file says exactly what it was given.
"""

import json
import pathlib
import sys
import warnings

# This file has the name of the library.
sys.path = [path for path in sys.path if pathlib.Path(path).resolve() != pathlib.Path(__file__).resolve().parent]

import numpy as np  # noqa: E402
from lime.lime_base import LimeBase  # noqa: E402
from lime.lime_tabular import LimeTabularExplainer  # noqa: E402

warnings.filterwarnings("ignore")

ROWS, SAMPLES = 120, 160
FEATURES = 8
SELECTIONS = ["auto", "forward_selection", "highest_weights", "lasso_path", "none"]


def training():
    random = np.random.default_rng(7)
    x = random.normal(size=(ROWS, FEATURES)) * [1, 5, 0.1, 30, 1, 2, 1, 1] + [0, 3, 1, -20, 0, 0, 0, 0]
    x[:, 4] = random.integers(0, 3, ROWS)
    x[:, 5] = np.where(random.random(ROWS) < 0.6, 0.0, np.abs(x[:, 5]))
    x[:, 6] = random.choice([1.0, 2.0, 5.0, 9.0], ROWS, p=[0.5, 0.3, 0.15, 0.05])
    return np.round(x, 4)


def answers(x):
    score = 0.8 * x[:, 0] + 0.2 * x[:, 1] - 4 * x[:, 2] + 0.02 * x[:, 3] * (x[:, 4] == 1) + 0.3 * x[:, 5] * x[:, 7]
    score = score + (x[:, 6] > 2)
    exp = np.exp(np.stack([score, -score + 0.5 * x[:, 7], 0.3 * x[:, 0] + 0 * score], axis=1) / 4)
    return score, exp / exp.sum(axis=1, keepdims=True)


def fitted(base, samples, ys, distances, output, count, selection):
    intercept, pairs, fit, local = base.explain_instance_with_data(
        samples, ys, distances, output, count, feature_selection=selection
    )
    values = np.zeros(samples.shape[1])
    for feature, value in pairs:
        values[feature] = value
    return {
        "selection": selection,
        "features": count,
        "output": output,
        "values": values.tolist(),
        "intercept": float(intercept),
        "local_fit": float(fit),
        "local_prediction": float(local[0]),
    }


def wide():
    random = np.random.default_rng(3)
    count, size = 24, 40
    width = 0.75 * np.sqrt(size)
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / width**2)), random_state=5)
    cases = []
    for kind in ["bits", "quantities"]:
        if kind == "bits":
            samples = (random.random((count, size)) < 0.4).astype(float)
            samples[0] = 1
        else:
            samples = np.round(random.normal(size=(count, size)), 3)
        ys = samples[:, :2] - 2 * samples[:, 3:5] * samples[:, 8:10] + 0.2 * samples[:, 20:] @ random.normal(size=(20, 2))
        ys = np.round(ys, 4)
        distances = np.sqrt(((samples - samples[0]) ** 2).sum(axis=1))
        asked = [(selection, few) for selection in SELECTIONS for few in [3, 10, 30, 40]]
        # One by one, no more features can be told apart than there are samples.
        asked.remove(("forward_selection", 30))
        cases.append(
            {
                "kind": kind,
                "samples": samples.tolist(),
                "answers": ys.tolist(),
                "weights": base.kernel_fn(distances).tolist(),
                "fits": [
                    fitted(base, samples, ys, distances, output, few, selection)
                    for selection, few in asked
                    for output in range(2)
                ],
            }
        )
    return cases


def main():
    x = training()
    score, probability = answers(x)
    labels = probability.argmax(axis=1)
    row = np.round(x[11], 4)
    cases = []
    for discretizer in ["quartile", "decile", "entropy", None]:
        for mode in ["classification", "regression"]:
            explainer = LimeTabularExplainer(
                x,
                mode=mode,
                training_labels=labels,
                categorical_features=[4, 6],
                discretize_continuous=discretizer is not None,
                discretizer=discretizer or "quartile",
                random_state=5,
            )
            data, inverse = explainer._LimeTabularExplainer__data_inverse(row, SAMPLES)
            scaled = np.round((data - explainer.scaler.mean_) / explainer.scaler.scale_, 4)
            score, probability = answers(inverse)
            ys = np.round(probability if mode == "classification" else score[:, None], 5)
            distances = np.sqrt(((scaled - scaled[0]) ** 2).sum(axis=1))
            case = {
                "discretizer": discretizer or "none",
                "mode": mode,
                "samples": [[int(v) if v == int(v) else float(v) for v in sample] for sample in scaled],
                "answers": ys.tolist(),
                "weights": explainer.base.kernel_fn(distances).tolist()[:5],
                "fits": [],
            }
            if discretizer:
                case["cuts"] = {
                    str(f): sorted({float(cut) for cut in explainer.discretizer.maxs[f][:-1]})
                    for f in explainer.discretizer.to_discretize
                }
            for selection in SELECTIONS:
                for count in [2, 4, 7, 8]:
                    for label in range(ys.shape[1]):
                        case["fits"].append(fitted(explainer.base, scaled, ys, distances, label, count, selection))
            cases.append(case)
    out = pathlib.Path(__file__).parent.parent / "lime"
    out.mkdir(exist_ok=True)
    said = {"training": x.tolist(), "labels": labels.tolist(), "row": row.tolist(), "cases": cases}
    (out / "fits.json").write_text(json.dumps(said, separators=(",", ":")) + "\n")
    (out / "wide.json").write_text(json.dumps({"cases": wide()}, separators=(",", ":")) + "\n")


main()
