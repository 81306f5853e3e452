"""Surrogates beside interpret-community's MimicExplainer: time of training and of explaining, fidelity, and the order.

    python3.11 -m pip install interpret-community==0.32.0 shap==0.46.0 numpy==1.26.4 scikit-learn==1.5.2 lightgbm==4.5.0 \
        ml-wrappers lime
    RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 taskset -c 0 python benches/peers/mimic.py speed|quality [--rounds N]

`speed` trains LightGBM surrogates of a teacher of 106 columns with 45,000 rows, one-hot ones among them, and explains 2,000
of the rows, the two in turns, and gives medians. Explaining is once without what a call costs beside its rows, from the
arrays to the values: `explain_local`. `quality` holds both against the teacher on rows that neither was trained on: R² and
KL of the probabilities, the share of the same class, and how well the global order is that of Kernel SHAP on the teacher
itself (Spearman's ρ).
"""

import argparse
import statistics
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")

ROWS, NUMBERS, EXPLAINED = 45_000, 6, 2_000
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
    """By name: rows, and a fitted teacher."""
    from sklearn import datasets, ensemble, linear_model, pipeline, preprocessing, svm

    x, y = datasets.load_iris(return_X_y=True)
    yield "iris, SVC", x, svm.SVC(gamma=0.001, C=100.0, probability=True, random_state=0).fit(x, y)
    yield "iris, logistic", x, linear_model.LogisticRegression(max_iter=1000).fit(x, y)
    x, y = datasets.load_breast_cancer(return_X_y=True)
    yield "breast cancer, SVC", x, svm.SVC(gamma=0.001, C=100.0, probability=True, random_state=0).fit(x, y)
    yield "breast cancer, forest", x, ensemble.RandomForestClassifier(100, random_state=0).fit(x, y)
    scaled = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    yield "breast cancer, logistic", x, scaled.fit(x, y)
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3000, 8)) * [2, 12, 2, 0.5, 1000, 10, 2, 2] + [4, 28, 5, 1, 1400, 3, 35, -119]
    y = 0.4 * x[:, 0] + 0.01 * x[:, 1] - 0.4 * (x[:, 6] - 35) * (x[:, 7] + 119) * 0.2 - 0.3 * x[:, 2] * (x[:, 3] > 1)
    yield "houses, boosted trees", x, ensemble.GradientBoostingRegressor(random_state=0).fit(x, y)


def answers(name, explainer, rows, classes):
    """What a surrogate answers in the units of the teacher."""
    model = explainer.surrogate_model
    if name == "interpret-community" and classes == 2:
        # It predicts the log-odds of the second class.
        second = 1.0 / (1.0 + np.exp(-np.ravel(model.predict(rows))))
        return np.column_stack([1.0 - second, second])
    return np.asarray(model.predict_proba(rows) if classes else model.predict(rows), np.float64)


def quality():
    import whylight
    from scipy.stats import spearmanr

    print("| teacher | surrogate | | R² | KL | same class | ρ of the order |\n|---|---|---|---|---|---|---|")
    for title, x, teacher in cases():
        order = np.random.default_rng(1).permutation(len(x))
        held, learned = x[order[: len(x) // 4]], x[order[len(x) // 4 :]]
        is_class = hasattr(teacher, "predict_proba")
        ask = teacher.predict_proba if is_class else teacher.predict
        truth = whylight.KernelExplainer(ask, whylight.summarise(learned, 20), device="cpu", show_progress=False)
        of_teacher = truth.explain_global(held[:60]).global_importance_values
        for surrogate in ("LGBMExplainableModel", "LinearExplainableModel", "SGDExplainableModel", "DecisionTreeExplainableModel"):
            for name, make in (("whylight", ours), ("interpret-community", theirs)):
                try:
                    explainer = make(teacher, learned, surrogate, classes=list(teacher.classes_) if is_class else None)
                    found = answers(name, explainer, held, len(teacher.classes_) if is_class else 0)
                    own = np.ravel(explainer.explain_global(held).global_importance_values)
                except Exception as error:
                    print(f"| {title} | {surrogate[:-16]} | {name} | {type(error).__name__}: {str(error)[:60]} | | | |", flush=True)
                    continue
                expected = np.asarray(ask(held), np.float64).reshape(len(held), -1)
                found = found.reshape(len(held), -1)
                kl, same = "", ""
                if is_class:
                    terms = expected * (np.log(np.maximum(expected, 1e-300)) - np.log(np.maximum(found, 1e-12)))
                    kl = f"{np.where(expected > 0, terms, 0).sum(axis=1).mean():.4f}"
                    same = f"{(expected.argmax(axis=1) == found.argmax(axis=1)).mean():.3f}"
                left, whole = ((found - expected) ** 2).sum(axis=0), ((expected - expected.mean(axis=0)) ** 2).sum(axis=0)
                fit, rank = (1 - left / whole).mean(), spearmanr(of_teacher, own).statistic
                print(f"| {title} | {surrogate[:-16]} | {name} | {fit:.3f} | {kl} | {same} | {rank:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "quality"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.what == "speed":
        speed(options.rounds)
    else:
        quality()


if __name__ == "__main__":
    main()
