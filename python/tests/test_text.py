"""Texts: what their words add to what a model answers."""

import json
import re

import coalitions
import numpy as np
import pytest

import whylight
from whylight import LeaveOneOutExplainer, TextExplainer, TextKernelExplainer, TextLIMEExplainer
from whylight.errors import DataError, FileError, ModelError, ParameterError, ShapeError, UnsupportedError


def sentiment(texts):
    """Two outputs that are not additive."""
    found = []
    for text in texts:
        words = set(re.findall(r"\w+", text))
        good, bad, no = "good" in words, "bad" in words, "not" in words
        found.append([0.5 + 2 * good - bad + 1.5 * no * bad - 3 * no * good, len(text) / 100])
    return np.array(found)


def first(texts):
    return sentiment(texts)[:, 0]


TEXTS = ["Not a bad one.", "not good \U0001f600, cafe\u0301!", "", "good", "... !"]
ALL = [TextExplainer, TextKernelExplainer, TextLIMEExplainer, LeaveOneOutExplainer]


class TestValues:
    @pytest.mark.parametrize("mask", [None, "[MASK]"])
    def test_short_texts_have_the_values_of_the_definition(self, mask):
        e = TextKernelExplainer(sentiment, mask=mask)(TEXTS)
        assert e.exact and e.method == "text_kernel_shap"
        for i, (text, words) in enumerate(zip(TEXTS, e.words, strict=True)):
            worth = []
            for number in range(2 ** len(words)):
                composed, last = "", 0
                for word, (start, end) in enumerate(e.offsets[i].tolist()):
                    there = number >> word & 1
                    composed += text[last:start] + (text[start:end] if there else mask or "")
                    last = end
                # White space alone tells the texts apart, which the second output counts.
                worth.append(sentiment([composed + text[last:]])[0])
            expected = coalitions.values(np.array(worth)) if words else np.zeros((0, 2))
            found, outputs = e.values[i], slice(0, 2 if mask else 1)
            np.testing.assert_allclose(found[:, outputs], expected.reshape(-1, 2)[:, outputs], atol=1e-12)
        np.testing.assert_allclose(e.sums, sentiment(TEXTS), atol=1e-12)
        np.testing.assert_array_equal(e.answers, sentiment(TEXTS))

    def test_words_and_sentences_have_their_places(self):
        e = TextExplainer(first)(["\U0001f600 cafe\u0301 isn't 3.5. Next one!", ""])
        assert e.words == [["\U0001f600", "cafe\u0301", "isn't", "3.5", "Next", "one"], []]
        assert e.sentences == [["\U0001f600 cafe\u0301 isn't 3.5.", "Next one!"], []]
        assert e.sentence_of[0].tolist() == [0, 0, 0, 0, 1, 1] and e.offsets[0][0].tolist() == [0, 1]
        sums = [e.values[0][:4].sum(), e.values[0][4:].sum()]
        np.testing.assert_allclose(e.sentence_values[0], sums, atol=1e-12)

    def test_estimates_are_within_their_errors(self):
        text = "the film was good and the end was not bad or was it that we had seen it all before"
        e = TextKernelExplainer(first)(text)
        assert not e.exact and e.standard_errors[0].max() < 0.05
        words = ["good", "not", "bad"]
        worth = [first([" ".join(w for i, w in enumerate(words) if n >> i & 1)])[0] for n in range(8)]
        expected = dict(zip(words, coalitions.values(np.array(worth)[:, None])[:, 0], strict=True))
        for word, value, error in zip(e.words[0], e.values[0], e.standard_errors[0], strict=True):
            assert abs(value - expected.get(word, 0)) <= 5 * error + 1e-9

    @pytest.mark.parametrize("num_features", [None, 3])
    def test_lime_is_that_of_lime(self, num_features):
        linear_model = pytest.importorskip("sklearn.linear_model")
        from sklearn.metrics import pairwise_distances

        text = "this film was not good but not bad either one of the better ones"
        asked = []

        def model(texts):
            asked.extend(texts)
            return first(texts)

        explainer = TextLIMEExplainer(model, mask="#", nsamples=400, batch_size=1, num_features=num_features)
        e = explainer(text)
        # The first text is there to learn how many outputs there are.
        samples = asked[1:]
        assert len(samples) == 400 and samples[0] == text
        places = [np.flatnonzero(e.player_of[0] == player)[0] for player in range(e.player_of[0].max() + 1)]
        there = np.array([[sample.split()[place] != "#" for place in places] for sample in samples], float)
        # As lime_text.py and lime_base.py of lime 0.2 have it.
        distances = pairwise_distances(there, there[:1], metric="cosine").ravel() * 100
        weights = np.sqrt(np.exp(-(distances**2) / 25**2))
        used = list(range(len(places)))
        if num_features:
            slopes = linear_model.Ridge(alpha=0.01).fit(there, first(samples), sample_weight=weights).coef_
            used = sorted(used, key=lambda k: -abs(slopes[k]))[:num_features]
        ridge = linear_model.Ridge(alpha=1).fit(there[:, used], first(samples), sample_weight=weights)
        expected = np.zeros(len(places))
        expected[used] = ridge.coef_
        counts = np.bincount(e.player_of[0])
        np.testing.assert_allclose(e.values[0], (expected / counts)[e.player_of[0]], atol=1e-6)
        np.testing.assert_allclose(e.base_values, [ridge.intercept_], atol=1e-6)
        score = ridge.score(there[:, used], first(samples), sample_weight=weights)
        np.testing.assert_allclose(e.local_fit, [score], atol=1e-6)

    def test_leaving_a_word_out(self):
        e = LeaveOneOutExplainer(first)("not good")
        np.testing.assert_allclose(e.values[0], [first(["not good"])[0] - first(["good"])[0], -0.5 - 0.5], atol=1e-12)
        assert e.standard_errors is None and e.details["texts_of"] == [4]

    @pytest.mark.parametrize("kind", ALL)
    def test_a_planted_word_comes_first(self, kind):
        random = np.random.default_rng(0)
        texts = []
        for length in (8, 60, 400):
            words = [f"Word{k}{'.' if i % 10 == 9 else ''}" for i, k in enumerate(random.integers(0, 99, length))]
            words[random.integers(length)] = "excellent"
            texts.append(" ".join(words))
        e = kind(lambda texts: np.array(["excellent" in text for text in texts], float))(texts)
        assert [names[0] for names in e.get_ranked_local_names(1)] == ["excellent"] * 3
        assert e.get_ranked_global_names(1) == ["excellent"]
        if kind is TextExplainer:
            assert e.details["methods"] == ["kernel", "kernel", "lime"]
            # What a method does not have is no number.
            assert [np.isnan(errors).all() for errors in e.standard_errors] == [False, False, True]
            assert np.isnan(e.local_fit).tolist() == [True, True, False] and "LIME" in e.notes[-1]

    def test_what_is_explained_beside_a_text_changes_nothing(self):
        texts = [*TEXTS, "good bad not " * 20, "good " * 300]
        for kind in ALL:
            explainer = kind(sentiment, seed=3)
            together = explainer(texts)
            for i in (0, 5, 6):
                alone = kind(sentiment, seed=3, batch_size=5)(texts[i])
                np.testing.assert_array_equal(alone.values[0], together.values[i])

    def test_a_long_document_costs_no_more(self):
        text = " ".join(f"Word{i}{'.' if i % 20 == 19 else ''}" for i in range(10_000)) + " good."
        explainer = TextExplainer(first)
        e = explainer(text)
        assert e.details["model_texts"] <= 4300 and "256 words" in explainer.reasons["Kernel SHAP of all words"]
        assert e.get_ranked_local_names(1) == [["good"]] and abs(e.sums[0] - 2.5) < 1e-6
        assert len(e.html()) < 3 * len(text)

    def test_players(self):
        text = "good film. Not good. A bad end."
        for players, count in (("words", 7), ("distinct", 6), ("sentences", 3)):
            e = TextKernelExplainer(first, players=players)(text)
            assert e.player_of[0].max() + 1 == count and abs(e.sums[0] - first([text])[0]) < 1e-12
        assert e.values[0][0] == e.values[0][1] and e.details["players"] == "sentences"

    def test_tokens_of_a_tokenizer_file(self, tmp_path):
        path = tmp_path / "tokenizer.json"
        vocab = {name: i for i, name in enumerate(["[UNK]", "g", "##ood", "film"])}
        tokenizer = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "WordPiece",
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": vocab,
            },
        }
        path.write_text(json.dumps(tokenizer))
        e = TextKernelExplainer(first, tokenizer=path)("a good film")
        assert e.words == [["a", "g", "ood", "film"]]
        np.testing.assert_allclose(e.values[0], [0, 1, 1, 0], atol=1e-12)
        path.write_text("{}")
        with pytest.raises(DataError, match="tokenizer.json"):
            TextKernelExplainer(first, tokenizer=path)("a")


class TestModels:
    def test_pipelines_of_sklearn(self):
        pipeline = pytest.importorskip("sklearn.pipeline")
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        texts = ["good film", "bad film", "good good one", "bad end"]
        model = pipeline.make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["pos", "neg", "pos", "neg"])
        e = TextExplainer(model)(texts)
        np.testing.assert_allclose(e.sums, model.predict_proba(texts), atol=1e-12)
        assert e.output_names == ["neg", "pos"] and e.classes == ["neg", "pos"] and e.model_task == "classification"
        only = TextExplainer(model, outputs=["pos"])(np.array(texts))
        np.testing.assert_allclose(only.values[0], e.values[0][:, 1], atol=1e-15)
        raw = TextExplainer(model, output="raw", seed=1).explain_local(texts[0])
        np.testing.assert_allclose(raw.sums, model.decision_function(texts[:1]), atol=1e-12)

    def test_scores_with_labels(self):
        def scores(texts):
            found = first(texts)
            return [[{"label": "pos", "score": y}, {"label": "neg", "score": 1 - y}] for y in found]

        e = TextExplainer(scores)("not good")
        assert e.output_names == ["neg", "pos"]
        np.testing.assert_allclose(e.answers, [[1.5, -0.5]])
        best = TextExplainer(lambda texts: [{"label": "pos" if y > 0.6 else "neg", "score": y} for y in first(texts)])
        with pytest.raises(ModelError, match="top_k=None"):
            best("not good")

    def test_wrong_answers_are_named(self):
        calls = []

        def grows(texts):
            calls.append(len(texts))
            return np.zeros((len(texts), min(len(calls), 2)))

        with pytest.raises(ModelError, match="grows: 2 outputs, but 1 before"):
            TextExplainer(grows)("a b")
        for bad, says in (
            (lambda texts: np.zeros(1 + len(texts)), "has the shape|answers to"),
            (lambda texts: np.zeros((1 + len(texts), 2)), "2 answers to 1 texts"),
            (list, "no array of numbers"),
            (lambda texts: np.full(len(texts), np.nan), "NaN"),
        ):
            with pytest.raises(ModelError, match=says):
                TextExplainer(bad)("one two")

        def broken(texts):
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            TextExplainer(broken)("a")

    def test_bad_parameters_are_named(self):
        for options, says in (
            ({"players": "letters"}, "players"),
            ({"mask": 3}, "mask"),
            ({"nsamples": "many"}, "nsamples"),
            ({"nsamples": 2}, "nsamples"),
            ({"batch_size": 0}, "batch_size"),
            ({"classes": "ab"}, "classes"),
            ({"output": "log"}, "output"),
            ({"seed": -1}, "seed"),
        ):
            with pytest.raises(ParameterError, match=says):
                TextKernelExplainer(first, **options)
        with pytest.raises(ParameterError, match="hierarchical"):
            TextExplainer(first, hierarchical=True)
        with pytest.raises(ParameterError, match="players"):
            TextKernelExplainer(first, hierarchical=True, players="sentences")
        with pytest.raises(ParameterError, match="num_features"):
            TextLIMEExplainer(first, num_features=0)
        with pytest.raises(ParameterError, match="nsamples"):
            LeaveOneOutExplainer(first, nsamples=9)
        with pytest.raises(FileError, match="none.json"):
            TextExplainer(first, tokenizer="none.json")("a")
        for documents, says in (
            ([], "at least one"),
            (["a", None], "entry 1 is a NoneType"),
            (b"a", "bytes"),
            (["\ud83d"], "half of a character"),
            (5, "int"),
        ):
            with pytest.raises(ParameterError, match=says):
                TextExplainer(first)(documents)
        with pytest.raises(ParameterError, match="classes: 3 names"):
            TextExplainer(sentiment).explain_local("a", classes=["a", "b", "c"])


@pytest.fixture(scope="module")
def e():
    return TextKernelExplainer(sentiment, classes=["mood", "length"], nsamples=64)(
        ["not good <b>film</b>", "Good? Not bad; not a bad one, I say & mean it, for a change"]
    )


class TestExplanation:
    def test_slices_and_faces(self, e):
        assert len(e) == 2 == e.num_examples and len(list(e)) == 2 and e.output_names == ["mood", "length"]
        np.testing.assert_array_equal(e[1].values[0], e.values[1])
        np.testing.assert_array_equal(e[[1, 0]].base_values, e.base_values[::-1])
        assert e[1].exact is False and e[0].exact and e[0].details["methods"] == ["kernel"]
        rank = e.local_importance_rank[0][1]
        np.testing.assert_array_equal(rank, np.argsort(-e.values[1][:, 0], kind="stable"))
        assert e.get_ranked_local_names(2)[0][1] == [e.words[1][k] for k in rank[:2]]
        assert e.ordered_local_importance_values[0][1] == e.values[1][rank, 0].tolist()
        assert np.shape(e.expected_values) == (2, 2) and e.attention is None and e.fidelity is None
        assert "2 documents of 19 words, 2 outputs" in repr(e)
        for bad in (2, -3, True, [], slice(5, 9)):
            with pytest.raises(IndexError):
                e[bad]

    def test_global_importance(self, e):
        found = e.global_importance()
        assert "not" in found.words and "Not" not in found.words and "Not" in e.global_importance(case=True).words
        k = found.words.index("bad")
        places = [(i, j) for i, words in enumerate(e.words) for j, word in enumerate(words) if word.lower() == "bad"]
        values = np.array([e.values[i][j] for i, j in places])
        np.testing.assert_allclose(found.mean[k], values.mean(0), atol=1e-15)
        np.testing.assert_allclose(found.mean_abs[k], np.abs(values).mean(0), atol=1e-15)
        assert found.counts[k] == 2 and found.document_counts[k] == 1
        assert (np.diff(found.overall) <= 0).all()
        assert e.global_importance(min_count=3).words == ["not"]
        assert list(e.get_feature_importance_dict(2)) == e.get_ranked_global_names(2)

    def test_html_is_escaped_and_whole(self, e):
        html = e.html("mood")
        assert "&lt;b&gt;" in html and "<b>film" not in html and "say &amp; mean" in html
        assert "border-bottom:2px solid" in html and "border-bottom:2px dashed" in html and "http" not in html
        text = re.sub(r"<[^>]*>", "", html.split("</div>", 1)[1])
        assert "not good &lt;b&gt;film&lt;/b&gt;" in text
        assert "1 more document" in e.html(max_documents=1) and e._repr_html_().startswith("<div")
        with pytest.raises(ParameterError, match="mood, length"):
            e.html("moods")

    def test_files(self, e, tmp_path):
        path = tmp_path / "texts.npz"
        lime = TextLIMEExplainer(first, nsamples=50)(TEXTS)
        for made in (e, lime):
            whylight.save_explanation(made, path, exist_ok=True)
            loaded = whylight.load_explanation(path)
            assert isinstance(loaded, whylight.TextExplanation) and loaded.id == made.id
            assert loaded.documents == made.documents and loaded.words == made.words
            assert loaded.details == made.details and loaded.classes == made.classes
            for name in ("values", "sentence_values", "offsets", "player_of"):
                for a, b in zip(getattr(loaded, name), getattr(made, name), strict=True):
                    np.testing.assert_array_equal(a, b)
            for name in ("base_values", "answers", "sums"):
                np.testing.assert_array_equal(getattr(loaded, name), getattr(made, name))
        np.testing.assert_array_equal(loaded.local_fit, lime.local_fit)
        assert loaded.standard_errors is None
        with pytest.raises(UnsupportedError, match="npz"):
            whylight.save_explanation(e, tmp_path / "folder")

    def test_damaged_files(self, e, tmp_path):
        path = tmp_path / "texts.npz"
        whylight.save_explanation(e, path)
        whole = path.read_bytes()
        for size in range(0, len(whole), len(whole) // 30):
            path.write_bytes(whole[:size])
            with pytest.raises(whylight.WhylightError, match="texts.npz"):
                whylight.load_explanation(path)
        path.write_bytes(whole)
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        for name in ("head", "values.1", "offsets.1", "sentence_of.0", "player_of.0", "base_values", "answers"):
            for changed in (None, arrays[name][:0], arrays[name].astype("U"), np.full(3, 99), np.zeros(3, object)):
                rest = {k: v for k, v in arrays.items() if k != name}
                np.savez(path, **rest, **({} if changed is None else {name: changed}))
                with pytest.raises(whylight.WhylightError, match="texts.npz"):
                    whylight.load_explanation(path)

    def test_shap_takes_it(self, e):
        shap = pytest.importorskip("shap")
        for part in (e, e[0], TextExplainer(first)([*TEXTS[:2], "..."])):
            found = part.to_shap()
            for i, text in enumerate(part.documents):
                assert "".join(found[i].data) == text
                np.testing.assert_allclose(found[i].values.sum(0), part.sums[i] - part.base_values[i], atol=1e-12)
            assert "<svg" in shap.plots.text(found, display=False)

    def test_arrays_that_do_not_fit_are_refused(self):
        with pytest.raises(ShapeError, match="values"):
            whylight.TextExplanation(
                ["a b"],
                offsets=[[[0, 1], [2, 3]]],
                sentence_offsets=[[[0, 3]]],
                sentence_of=[[0, 0]],
                player_of=[[0, 1]],
                values=[np.zeros((3, 1))],
                base_values=[[0]],
                answers=[[0]],
            )
