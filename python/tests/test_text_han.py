"""Texts by a surrogate that learned what a model answers."""

import sys

import numpy as np
import pytest

import whylight
from whylight import HANTextExplainer, TextExplainer
from whylight.errors import DataError, FileError, ModelError, ParameterError, UnsupportedError

FILLERS = (
    "the film was a story of some people who go to town and meet others in rain while music plays on until night falls"
).split()


def texts(count, seed):
    """Some sentences, in every other text with a word that matters."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        sentences = [list(random.choice(FILLERS, random.integers(3, 11))) for _ in range(random.integers(1, 5))]
        if random.random() < 0.5:
            chosen = sentences[random.integers(len(sentences))]
            chosen.insert(random.integers(len(chosen) + 1), "excellent")
        found.append(" ".join(" ".join(words) + "." for words in sentences))
    return found


def classes(documents):
    p = np.array([0.95 if "excellent" in text else 0.1 for text in documents])
    return np.stack([1 - p, p], axis=1)


#: A network that learns in a second.
SMALL = {"hidden": 8, "attention": 8, "embedding": 12, "learning_rate": 1e-2, "batch": 16, "device": "cpu"}


def explainer(model=classes, count=500, **options):
    return HANTextExplainer(model, texts(count, 1), **{**SMALL, **options})


@pytest.fixture(scope="module")
def trained():
    return explainer(classes=["no", "yes"]).train_model(train_epochs=12)


class TestTraining:
    def test_it_answers_as_the_model_does(self, trained):
        found = trained.fidelity
        assert found["is_held_out"] and found["documents"] == 50 and found["agreement"] >= 0.95
        assert found["r2"]["yes"] > 0.9 and found["divergence"] < 0.1 and found["device"].startswith("cpu")
        assert 2 <= len(found["epochs"]) <= 12 and found["epochs"][-1]["loss"] < found["epochs"][0]["loss"]
        others = texts(50, 2)
        answers = trained.predict(others)
        assert ((answers[:, 1] > 0.5) == (classes(others)[:, 1] > 0.5)).mean() >= 0.95

    def test_the_model_is_asked_once_for_each_text(self):
        asked = []

        def model(documents):
            asked.extend(documents)
            return classes(documents)

        made = explainer(model, 60, batch_size=16)
        made.train_model(train_epochs=1)
        assert asked == made._texts
        made.train_model(train_epochs=3)
        assert len(asked) == 60 and len(made.fidelity["epochs"]) == 3

    def test_going_on_is_training_at_once(self):
        known = classes(texts(80, 1))
        options = {"patience": None, "answers": known}
        at_once = explainer(count=80).train_model(train_epochs=3, **options)
        in_parts = explainer(count=80).train_model(train_epochs=1, **options).train_model(train_epochs=3, patience=None)
        others = texts(10, 3)
        np.testing.assert_array_equal(at_once.predict(others), in_parts.predict(others))
        another = explainer(count=80, seed=1).train_model(train_epochs=3, **options)
        assert np.abs(another.predict(others) - at_once.predict(others)).max() > 0

    @pytest.mark.parametrize("kind", ["text", "npy"])
    def test_vectors(self, kind, tmp_path):
        random = np.random.default_rng(0)
        words = [*FILLERS[:10], "excellent"]
        vectors = random.normal(size=(len(words), 5)).astype(np.float32)
        vectors[-1] *= 3
        if kind == "text":
            lines = [f"{word} {' '.join(f'{x:.5f}' for x in row)}" for word, row in zip(words, vectors, strict=True)]
            (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n")
            files = {"word_embedding_path": tmp_path / "glove.txt"}
        else:
            np.save(tmp_path / "v.npy", vectors)
            (tmp_path / "words.txt").write_text("\n".join(words) + "\n")
            files = {"word_embedding_path": tmp_path / "v.npy", "word_embedding_words": tmp_path / "words.txt"}
        made = explainer(count=100).train_model(train_epochs=2, learns_embedding=False, **files)
        found = made.fidelity["coverage"]
        assert 0 < found["types"] < 1 and 0 < found["tokens"] < 1
        (tmp_path / "bad.txt").write_text("good 1 2 3\nfilm 1 2\n")
        with pytest.raises(DataError, match="line 2"):
            explainer(count=40).train_model(word_embedding_path=tmp_path / "bad.txt")

    def test_ctrl_c_leaves_what_was_learned(self, monkeypatch):
        made = explainer(count=100, show_progress=True)

        def stop(self, epoch, done, *_):
            if epoch == 1:
                raise KeyboardInterrupt

        monkeypatch.setattr("whylight.text.han._Losses._tell", stop)
        with pytest.raises(KeyboardInterrupt):
            made.train_model(train_epochs=5)
        monkeypatch.undo()
        assert len(made.fidelity["epochs"]) == 1
        made.train_model(train_epochs=2, patience=None)
        assert len(made.fidelity["epochs"]) == 2

    def test_losses_are_shown(self, capsys):
        explainer(count=40, show_progress=True).train_model(train_epochs=1)
        assert "held out" in capsys.readouterr().err

    def test_numbers_are_learned_in_their_units(self):
        made = explainer(lambda documents: 1000 * classes(documents)[:, 1] - 300).train_model(train_epochs=12)
        assert made.fidelity["agreement"] is None and next(iter(made.fidelity["r2"].values())) > 0.9
        e = made.explain_local(texts(5, 4), tune_epochs=0)
        np.testing.assert_allclose(e.sums, e.surrogate_answers, atol=0.1)
        assert e.values[0].ndim == 1

    def test_what_cannot_be_learned_is_refused(self):
        with pytest.raises(UnsupportedError, match="initialization_examples"):
            HANTextExplainer(classes).train_model()
        with pytest.raises(DataError, match="alike"):
            explainer(lambda documents: np.full((len(documents), 2), 0.5), 30).train_model()
        with pytest.raises(ModelError, match="one for each text"):
            explainer(lambda documents: classes(documents)[:-1], 30).train_model()
        with pytest.raises(ParameterError, match="answers"):
            explainer(count=30).train_model(answers=np.zeros((30, 3)))
        with pytest.raises(ParameterError, match="documents"):
            HANTextExplainer(classes, [])
        with pytest.raises(ParameterError, match="players"):
            HANTextExplainer(classes, texts(30, 1), players="sentences")
        for options in ({"learning_rate": -1}, {"held_out": 1}, {"dropout": 1}, {"hidden": 0}):
            with pytest.raises(ParameterError, match=next(iter(options))):
                explainer(count=30, **options).train_model()


class TestExplaining:
    @pytest.mark.parametrize("epochs", [0, 1])
    def test_a_planted_word_comes_first(self, trained, epochs):
        documents = [text for text in texts(150, 5) if "excellent" in text]
        e = trained.explain_local(documents, tune_epochs=epochs)
        ranked = e.get_ranked_local_names(1)[e.output_names.index("yes")]
        assert np.mean([names == ["excellent"] for names in ranked]) >= 0.95
        assert e.method == "han" and e.output_names == ["no", "yes"] == e.classes
        np.testing.assert_allclose(e.answers, classes(documents), atol=1e-9)
        if epochs == 0:
            np.testing.assert_allclose(e.sums, e.surrogate_answers, atol=1e-5)
            assert e.local_fit is None and e.details["model_texts"] == len(documents)
        else:
            assert e.local_fit.shape == (len(documents), 2) and e.details["model_texts"] <= 40 * len(documents)
        for i, words in enumerate(e.words):
            assert e.attention[i].shape == (len(words),)
            np.testing.assert_allclose(np.bincount(e.sentence_of[i], e.attention[i]), 1, atol=1e-5)
        assert any("agreement" in note for note in e.notes)

    def test_a_document_has_the_same_values_wherever_it_is(self, trained):
        documents = [*texts(6, 6), "", "…", "Zyzzyva 😀"]
        whole, alone = trained(documents), trained(documents[4])
        np.testing.assert_allclose(whole.values[4], alone.values[0], atol=1e-6)
        assert [len(part) for part in whole.values[6:]] == [0, 0, 2]
        part = whole[4:6]
        np.testing.assert_array_equal(part.surrogate_answers, whole.surrogate_answers[4:6])

    def test_a_corpus(self, trained):
        e = trained.explain_global(texts(100, 7))
        assert e.get_ranked_global_names(1) == ["excellent"]

    def test_saved_and_loaded(self, trained, tmp_path):
        trained.save(tmp_path / "surrogate")
        loaded = HANTextExplainer.load(tmp_path / "surrogate", classes, classes=["no", "yes"])
        document = texts(1, 8)
        np.testing.assert_array_equal(loaded(document).values[0], trained(document).values[0])
        assert loaded.fidelity == trained.fidelity
        with pytest.raises(ParameterError, match="tune_epochs: 51"):
            loaded.explain_local(document, tune_epochs=51)
        # What was loaded goes on, and is not begun anew with another seed.
        others = {**SMALL, "seed": 5, "classes": ["no", "yes"]}
        loaded = HANTextExplainer.load(tmp_path / "surrogate", classes, texts(500, 1), **others)
        epochs = trained.fidelity["epochs"]
        loaded.train_model(train_epochs=len(epochs) + 1, patience=None)
        assert loaded.fidelity["epochs"][:-1] == epochs and len(loaded.fidelity["epochs"]) == len(epochs) + 1
        e = trained(document)
        whylight.save_explanation(e, tmp_path / "e.npz")
        again = whylight.load_explanation(tmp_path / "e.npz")
        np.testing.assert_array_equal(again.attention[0], e.attention[0])
        assert again.fidelity == e.fidelity
        (tmp_path / "surrogate" / "surrogate.json").write_text("{}")
        with pytest.raises(DataError, match="surrogate"):
            HANTextExplainer.load(tmp_path / "surrogate", classes)
        with pytest.raises(FileError):
            HANTextExplainer.load(tmp_path / "nothing", classes)

    def test_it_trains_by_itself(self):
        e = explainer(count=60)("an excellent film")
        assert e.words == [["an", "excellent", "film"]]


def test_the_explainer_that_chooses_takes_a_surrogate_for_a_corpus(monkeypatch):
    few = TextExplainer(classes)
    assert few("an excellent film").method == "text_kernel_shap" and "too few" in few.reasons["HAN"]
    monkeypatch.setattr(sys.modules["whylight.text"], "CORPUS", 60)
    many = TextExplainer(classes, texts(60, 9))
    e = many("an excellent film")
    assert e.method == "han" and "60 texts" in many.reasons["Kernel SHAP"]
    sentences = TextExplainer(classes, texts(60, 9), players="sentences")
    assert sentences("an excellent film").method == "text_kernel_shap"
