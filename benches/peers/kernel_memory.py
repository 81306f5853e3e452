"""Peak memory of Kernel SHAP against a large background: 10,000 rows of 100 features, 20,000 coalitions, two rows.

    pip install numpy scikit-learn==1.9.1
    python benches/peers/kernel_memory.py function|svc

Prints the seconds that it took, and how far the process grew at its peak beyond what it was before, and in all. The
model is a function of rows, or a support vector machine with an RBF kernel whose probability is explained.
"""

import resource
import sys
import time

import numpy as np

import whylight


def peak():
    """MiB that the process had at its peak."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    random = np.random.default_rng(0)
    background, rows = random.normal(size=(10_000, 100)), random.normal(size=(2, 100))
    if sys.argv[1] == "svc":
        from sklearn.svm import SVC

        train = random.normal(size=(300, 100))
        model = SVC(probability=True, random_state=0).fit(train, train[:, :3].sum(axis=1) > 0).predict_proba
    else:
        weights = np.linspace(-1, 1, 100)

        def model(x):
            return np.tanh(x @ weights)

    explainer = whylight.KernelExplainer(model, background, nsamples=20_000, device="cpu", show_progress=False)
    before, begun = peak(), time.perf_counter()
    explanation = explainer(rows)
    seconds = time.perf_counter() - begun
    print(f"{sys.argv[1]}: {seconds:.0f} s, {peak() - before:.0f} MiB more than before, {peak():.0f} MiB in all")
    print("\n".join(explanation.notes))


if __name__ == "__main__":
    main()
