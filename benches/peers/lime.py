"""LIME of tables beside lime: speed, and how much of an explanation is the seed's.

    pip install numpy scikit-learn lime==0.2.0.1
    RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/lime.py speed|stability|wide [--rows N]

Both explain the test rows of scikit-learn's breast cancer data, with lime's defaults: quartiles, 5000 samples, 10 features.
`speed` asks models of three kinds: an SVC and a perceptron, as objects, and a function that costs nothing; medians of three
rounds, by processor time, where lime explains as many rows as fit in some ten seconds and whylight all 114, with what its
explainer is made in.
`stability` explains 20 rows by 10 seeds: the standard deviation of a coefficient beside the mean size of the coefficients of
its row, and which part of the five largest features two seeds have in common.
`wide` explains rows of a function of 2226 columns, by 5000 samples: medians of three rounds of a row of lime's, and of
whylight's between its first row and its fifth, with what its explainer is made in apart.
"""

import argparse
import itertools
import statistics
import sys
import time
import warnings
from pathlib import Path

# This file has the name of the library.
sys.path = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402
from sklearn.datasets import load_breast_cancer  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

warnings.simplefilter("ignore")

FEATURES = 10
SECONDS = 10
COLUMNS = 2226


def data():
    x, y = load_breast_cancer(return_X_y=True)
    train, test, labels, _ = train_test_split(x, y, test_size=114, random_state=0)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test), labels


def free(x):
    """Two probabilities, of next to no work."""
    p = 1 / (1 + np.exp(-x[:, :5].sum(axis=1)))
    return np.stack([1 - p, p], axis=1)


class Free:
    predict_proba = staticmethod(free)


def models(train, labels):
    return {
        "SVC(probability)": SVC(probability=True, random_state=0).fit(train, labels),
        "MLP(64, 32)": MLPClassifier((64, 32), random_state=0, max_iter=500).fit(train, labels),
        "a free function": Free(),
    }


def theirs(train, seed=0):
    from lime.lime_tabular import LimeTabularExplainer

    return LimeTabularExplainer(train, mode="classification", random_state=seed)


def ours(model, train, seed=0, features=FEATURES):
    import whylight

    asked = free if isinstance(model, Free) else model
    return whylight.LIMEExplainer(asked, train, num_features=features, seed=seed, device="cpu", threads=1)


def speed(train, test, labels):
    print("| model | lime, rows/s | whylight, rows/s | times | whylight for one row, s |")
    for name, model in models(train, labels).items():
        slow, fast, single = [], [], []
        for _ in range(3):
            explainer = theirs(train)
            begun, rows = time.process_time(), 0
            while time.process_time() - begun < SECONDS / 3:
                explainer.explain_instance(test[rows % len(test)], model.predict_proba, num_features=FEATURES)
                rows += 1
            slow.append(rows / (time.process_time() - begun))
            begun = time.process_time()
            ours(model, train)(test)
            fast.append(len(test) / (time.process_time() - begun))
            begun = time.process_time()
            ours(model, train)(test[:1])
            single.append(time.process_time() - begun)
        a, b = statistics.median(slow), statistics.median(fast)
        print(f"| {name} | {a:.1f} | {b:.0f} | {b / a:.0f} | {statistics.median(single):.3f} |", flush=True)


def spread(runs):
    """Of coefficients (seed, row, feature): their spread beside their size, and the part of the top five in common."""
    size = np.abs(runs).mean(axis=(0, 2))
    apart = runs.std(axis=0, ddof=1).mean(axis=1) / size
    top = [[set(np.argsort(-np.abs(row))[:5]) for row in run] for run in runs]
    common = [len(a & b) / 5 for one, other in itertools.combinations(top, 2) for a, b in zip(one, other, strict=True)]
    return np.median(apart), np.mean(common)


def stability(train, test, labels, rows, seeds=10):
    print("| model | spread of lime | of whylight | top 5 in common, lime | whylight | errors said / seen |")
    for name, model in models(train, labels).items():
        found, mine, errors = [], [], []
        for seed in range(seeds):
            explainer = theirs(train, seed)
            values = np.zeros((rows, train.shape[1]))
            for row in range(rows):
                told = explainer.explain_instance(test[row], model.predict_proba, num_features=train.shape[1])
                for feature, value in told.as_map()[1]:
                    values[row, feature] = value
            found.append(values)
            e = ours(model, train, seed, features=None)(test[:rows])
            mine.append(e.values if e.values.ndim == 2 else e.values[:, :, 1])
            errors.append(e.standard_errors if e.values.ndim == 2 else e.standard_errors[:, :, 1])
        (a, top), (b, other) = spread(np.array(found)), spread(np.array(mine))
        ratio = np.mean(errors) / np.std(mine, axis=0, ddof=1).mean()
        print(f"| {name} | {a:.3f} | {b:.3f} | {top:.2f} | {other:.2f} | {ratio:.2f} |", flush=True)


def timed(work):
    begun = time.process_time()
    work()
    return time.process_time() - begun


def wide():
    from lime.lime_tabular import LimeTabularExplainer

    import whylight

    random = np.random.default_rng(0)
    train = random.random((400, COLUMNS))
    slopes = random.normal(size=COLUMNS) / np.sqrt(COLUMNS)

    def function(x):
        return x @ slopes + x[:, 0] * x[:, 1]

    print("| cells | features | lime, s a row | whylight, s a row | its explainer, s |")
    for cut, most in [(True, FEATURES), (False, FEATURES), (True, COLUMNS), (False, COLUMNS)]:
        slow, fast, made = [], [], []
        for row in range(3):
            explainer = LimeTabularExplainer(train, mode="regression", discretize_continuous=cut, random_state=row)
            slow.append(timed(lambda row=row, e=explainer: e.explain_instance(train[row], function, num_features=most)))

            def explain(rows, seed=row):
                e = whylight.LIMEExplainer(
                    function,
                    train,
                    num_features=most,
                    discretizer="quartile" if cut else None,
                    seed=seed,
                    device="cpu",
                    threads=1,
                )
                e(train[:rows])

            few, more = timed(lambda: explain(1)), timed(lambda: explain(5))
            fast.append((more - few) / 4)
            made.append(few - fast[-1])
        a, b, c = (statistics.median(times) for times in (slow, fast, made))
        print(f"| {'quartiles' if cut else 'quantities'} | {most} | {a:.2f} | {b:.2f} | {c:.2f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["speed", "stability", "wide"])
    parser.add_argument("--rows", type=int, default=20, help="rows of the stability")
    given = parser.parse_args()
    train, test, labels = data()
    if given.what == "speed":
        speed(train, test, labels)
    elif given.what == "wide":
        wide()
    else:
        stability(train, test, labels, given.rows)
