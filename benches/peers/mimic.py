"""Surrogates beside interpret-community's MimicExplainer: time of training and of explaining, fidelity, and the order.

    python3.11 -m pip install interpret-community==0.32.0 shap==0.46.0 numpy==1.26.4 scikit-learn==1.5.2 lightgbm==4.5.0 \
        ml-wrappers lime
    RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/mimic.py speed|quality [--rounds N] [--only WORD]

`speed` trains LightGBM surrogates of a teacher of 106 columns with 45,000 rows, one-hot ones among them, and explains 2,000
of the rows, the two in turns, and gives medians. Explaining is once without what a call costs beside its rows, from the
arrays to the values: `explain_local`. `quality` splits each table so many times, trains the teacher and both surrogates on
three quarters, and holds these against the teacher on the rest, which neither saw: R² and KL of the probabilities, the share
of the same class, and, of the first splits, how well the global order is that of Kernel SHAP on the teacher itself
(Spearman's ρ). Means over the splits, with their standard errors.
"""

import argparse
import statistics
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")

ROWS, NUMBERS, EXPLAINED = 45_000, 6, 2_000
#: Splits whose order is held against Kernel SHAP, which takes long.
ORDERS = 5

#: Categories of each column that is one-hot: as the census has them, 100 columns in all.
CATEGORIES = (16, 9, 7, 15, 6, 5, 2, 40)


def census(seed=0):
    """Rows like the one-hot census, and a teacher of two classes."""
    draw = np.random.default_rng(seed)
    parts = [draw.normal(size=(ROWS, NUMBERS))]
    weights = [draw.normal(size=NUMBERS)]
    for count in CATEGORIES:
        share = draw.dirichlet(np.ones(count))
        parts.append(np.eye(count)[draw.choice(count, ROWS, p=share)])
        weights.append(draw.normal(size=count))
    x, weights = np.hstack(parts), np.concatenate(weights)

    def probabilities(rows):
        rows = np.asarray(rows, np.float64)
        margin = rows @ weights + rows[:, 0] * rows[:, 1] + 2.0 * rows[:, 6] * rows[:, 2]
        second = 1.0 / (1.0 + np.exp(-margin))
        return np.column_stack([1.0 - second, second])

    class Teacher:
        classes_ = np.array([0, 1])

        def predict_proba(self, rows):
            return probabilities(rows)

        def predict(self, rows):
            return probabilities(rows).argmax(axis=1)

    return x, Teacher()


def ours(teacher, x, surrogate="LGBMExplainableModel", **more):
    import whylight

    return whylight.MimicExplainer(teacher, x, surrogate, device="cpu", threads=1, **more)


def theirs(teacher, x, surrogate="LGBMExplainableModel", **more):
    from interpret_community.mimic import models
    from interpret_community.mimic.mimic_explainer import MimicExplainer

    kind = getattr(models, surrogate) if hasattr(models, surrogate) else getattr(models.tree_model, surrogate)
    args = {"n_jobs": 1} if surrogate.startswith("LGBM") else {}
    return MimicExplainer(teacher, x, kind, explainable_model_args=args, augment_data=False, **more)


def timed(function):
    begun = time.perf_counter()
    return function(), time.perf_counter() - begun


def speed(rounds):
    x, teacher = census()
    rows = x[:EXPLAINED]
    seconds = {"whylight": ([], [], []), "interpret-community": ([], [], [])}
    for _ in range(rounds):
        for name, make in (("whylight", ours), ("interpret-community", theirs)):
            explainer, trained = timed(lambda make=make: make(teacher, x, classes=[0, 1]))
            local, explained = timed(lambda explainer=explainer: explainer.explain_local(rows))
            _, summed = timed(lambda explainer=explainer: explainer.explain_global(rows, include_local=False))
            for kept, new in zip(seconds[name], (trained, explained, summed), strict=True):
                kept.append(new)
            print(f"{name}: {trained:.2f} s, {explained:.3f} s, {summed:.3f} s", flush=True)
            agreement = explainer.get_surrogate_model_replication_measure(rows)
            print(f"  agreement {agreement:.4f}, values {np.shape(local.local_importance_values)}", flush=True)
    own, peer = ([statistics.median(part) for part in seconds[name]] for name in ("whylight", "interpret-community"))
    print("\n| | whylight | interpret-community | ratio |\n|---|---|---|---|")
    for what, a, b in zip(("training", f"{EXPLAINED:,} rows", "global only"), own, peer, strict=True):
        print(f"| {what} | {a:.3f} s | {b:.3f} s | {b / a:.1f}× |")


def cases():
    """By name: rows, targets, and a teacher to be fitted."""
    from sklearn import datasets, ensemble, linear_model, pipeline, preprocessing, svm

    def scaled(model):
        return pipeline.make_pipeline(preprocessing.StandardScaler(), model)

    svc = svm.SVC(gamma=0.001, C=100.0, probability=True, random_state=0)
    forest = ensemble.RandomForestClassifier(100, random_state=0)
    x, y = datasets.load_iris(return_X_y=True)
    yield "iris, SVC", x, y, svc
    yield "iris, logistic", x, y, linear_model.LogisticRegression(max_iter=1000)
    x, y = datasets.load_wine(return_X_y=True)
    yield "wine, forest", x, y, forest
    x, y = datasets.load_breast_cancer(return_X_y=True)
    yield "breast cancer, SVC", x, y, svc
    yield "breast cancer, forest", x, y, forest
    yield "breast cancer, logistic", x, y, scaled(linear_model.LogisticRegression())
    x, y = datasets.load_diabetes(return_X_y=True)
    yield "diabetes, forest", x, y, ensemble.RandomForestRegressor(100, random_state=0)
    yield "diabetes, SVR", x, y, scaled(svm.SVR(C=100.0))
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3000, 8)) * [2, 12, 2, 0.5, 1000, 10, 2, 2] + [4, 28, 5, 1, 1400, 3, 35, -119]
    y = 0.4 * x[:, 0] + 0.01 * x[:, 1] - 0.4 * (x[:, 6] - 35) * (x[:, 7] + 119) * 0.2 - 0.3 * x[:, 2] * (x[:, 3] > 1)
    yield "houses, boosted trees", x, y, ensemble.GradientBoostingRegressor(random_state=0)


def answers(name, explainer, rows, classes):
    """What a surrogate answers in the units of the teacher; the classes alone where it has no probabilities."""
    model = explainer.surrogate_model
    if name == "interpret-community" and classes == 2:
        # It predicts the log-odds of the second class.
        second = 1.0 / (1.0 + np.exp(-np.ravel(model.predict(rows))))
        return np.column_stack([1.0 - second, second])
    if name == "interpret-community" and classes and type(model).__name__.startswith("SGD"):
        return np.ravel(model.predict(rows))
    found = np.asarray(model.predict_proba(rows) if classes else model.predict(rows), np.float64)
    return found.reshape(len(rows), -1)


def measures(expected, found, is_class):
    """By name: R², the KL divergence, and the share of the same class."""
    if found.ndim == 1:
        return {"same": (expected.argmax(axis=1) == found).mean()}
    left, whole = ((found - expected) ** 2).sum(axis=0), ((expected - expected.mean(axis=0)) ** 2).sum(axis=0)
    said = {"r2": (1 - left[whole > 0] / whole[whole > 0]).mean()}
    if is_class:
        terms = expected * (np.log(np.maximum(expected, 1e-300)) - np.log(np.maximum(found, 1e-12)))
        said["kl"] = np.where(expected > 0, terms, 0).sum(axis=1).mean()
        said["same"] = (expected.argmax(axis=1) == found.argmax(axis=1)).mean()
    return said


def mean(numbers):
    """With the standard error."""
    if not numbers:
        return ""
    large = abs(statistics.fmean(numbers)) >= 1e4
    form = ".1e" if large else ".3f"
    return f"{statistics.fmean(numbers):{form}} ± {np.std(numbers, ddof=1) / len(numbers) ** 0.5:{form}}"


def quality(splits, only):
    import whylight
    from scipy.stats import spearmanr

    surrogates = ("LGBMExplainableModel", "LinearExplainableModel", "SGDExplainableModel", "DecisionTreeExplainableModel")
    makers = {"whylight": ours, "interpret-community": theirs}
    print("| teacher | surrogate | | R² | KL | same class | ρ of the order |\n|---|---|---|---|---|---|---|")
    for title, x, y, teacher in cases():
        if only not in title:
            continue
        kept = {(surrogate, name): {} for surrogate in surrogates for name in makers}
        for split in range(splits):
            order = np.random.default_rng(split).permutation(len(x))
            held, learned = x[order[: len(x) // 4]], x[order[len(x) // 4 :]]
            teacher.fit(learned, y[order[len(x) // 4 :]])
            is_class = hasattr(teacher, "predict_proba")
            ask = teacher.predict_proba if is_class else teacher.predict
            expected = np.asarray(ask(held), np.float64).reshape(len(held), -1)
            if split < ORDERS:
                truth = whylight.KernelExplainer(ask, whylight.summarise(learned, 20), device="cpu", show_progress=False)
                of_teacher = truth.explain_global(held[:30]).global_importance_values
            for (surrogate, name), said in kept.items():
                explainer = makers[name](teacher, learned, surrogate, classes=list(teacher.classes_) if is_class else None)
                found = answers(name, explainer, held, len(teacher.classes_) if is_class else 0)
                for measure, number in measures(expected, found, is_class).items():
                    said.setdefault(measure, []).append(float(number))
                if split < ORDERS:
                    own = np.ravel(explainer.explain_global(held).global_importance_values)
                    said.setdefault("rho", []).append(float(spearmanr(of_teacher, own).statistic))
        for (surrogate, name), said in kept.items():
            cells = [mean(said.get(measure, [])) for measure in ("r2", "kl", "same", "rho")]
            print(f"| {title} | {surrogate[:-16]} | {name} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "quality"))
    parser.add_argument("--rounds", type=int, default=10, help="of speed, or splits of quality")
    parser.add_argument("--only", default="", help="teachers whose names have this")
    options = parser.parse_args()
    if options.what == "speed":
        speed(options.rounds)
    else:
        quality(options.rounds, options.only)


if __name__ == "__main__":
    main()
