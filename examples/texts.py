"""A job that explains texts: the words that made a classifier answer as it did, for single texts and over a corpus.

pip install ./python scikit-learn
python examples/texts.py
"""

import random

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import whylight

# Reviews of a restaurant, put together from phrases. Any list of texts takes their place.
good = ["the soup was excellent", "we loved the fresh bread", "friendly waiters", "a wonderful evening"]
bad = ["the soup was cold", "the waiters were rude", "we waited for an hour", "far too expensive"]
plain = ["we were four", "it rained", "the room is small", "they have tables outside", "we sat at the window"]
draw = random.Random(0)


def review(kind):
    parts = draw.sample(kind, 2) + draw.sample(plain, 3)
    draw.shuffle(parts)
    return ". ".join(part.capitalize() for part in parts) + "."


labels = [0, 1] * 400
texts = [review([bad, good][label]) for label in labels]
model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
classes = ["bad", "good"]

# A few texts: Shapley values of their words, from the model's answers to parts of them.
explainer = whylight.TextExplainer(model, classes=classes)
some = ["We loved the fresh bread. The waiters were rude.", "The soup was excellent, and we waited for an hour."]
e = explainer(some)
for text, names in zip(some, e.get_ranked_local_names(3)[1], strict=True):
    print(f"good in {text!r}: {', '.join(names)}")
with open("texts.html", "w", encoding="utf-8") as file:
    file.write(e.html())
print("texts.html highlights them")

# A corpus: a surrogate learns what the model answers, says how well, and stands in for it.
explainer = whylight.HANTextExplainer(model, texts, classes=classes)
explainer.train_model()
print(f"the surrogate answers {explainer.fidelity['agreement']:.1%} of the texts that it did not see as the model does")
e = explainer.explain_global(texts)
for name, value in e.get_feature_importance_dict(8).items():
    print(f"  {name:<12}{value:.3f}")
