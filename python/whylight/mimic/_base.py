"""What all surrogates have: a model that is trained to answer as another one does, and is explained in its place."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, ModelError, UnsupportedError
from ._distil import Space

#: What interpret calls the two kinds of surrogates.
TREES, LINEAR = "tree_explainable_model_type", "linear_explainable_model_type"


class ExplainableModel:
    """The base of the surrogates, name for name as interpret-community's.

    `fit(dataset, labels)` takes numbers (rows, features) and what is to be answered: of a regression the predictions,
    (rows,) or (rows, outputs); of two classes the log-odds of the second, (rows,); of more (`multiclass=True`) the
    logarithm of each class's probability, (rows, classes), or the numbers of the classes, (rows,). Further parameters
    are those of the library that trains it.
    """

    #: What interpret asks of an explainer.
    explainer_type = "glassbox"
    available_explanations = ["global", "local"]

    #: What the explanations' `method` calls it.
    kind = ""
    #: Whether categories become a column each.
    one_hot = True
    #: What pip installs for it.
    needs = "scikit-learn"

    def __init__(
        self, multiclass=False, random_state=123, shap_values_output="default", classification=True, **options
    ):
        self._multiclass = bool(multiclass)
        self._classification = bool(classification)
        self._seed = random_state
        self._shap_values_output = shap_values_output
        self._options = options
        self._space = None
        self._background = None

    @property
    def _name(self):
        return type(self).__name__

    # What each one does -----------------------------------------------------------------------------------------------

    def _fit(self, x, margins, probabilities, categorical, threads, **more):
        """Trains it on the margins, or on the probabilities (rows, classes), None where there are none."""
        raise NotImplementedError

    def margins(self, dataset) -> np.ndarray:
        """Its answers before they become probabilities, (rows, outputs)."""
        raise NotImplementedError

    def answers(self, dataset) -> np.ndarray:
        """Its answers in the units of the teacher, (rows, width)."""
        return self._space.answers(self.margins(dataset))

    def explainer(self, background, output="raw", **options):
        """The explainer of it: `background` are rows for the probability."""
        raise NotImplementedError

    def to_json(self) -> dict:
        """Everything that it needs to answer and be explained again."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, said, space):
        raise NotImplementedError

    # What interpret asks ----------------------------------------------------------------------------------------------

    def fit(self, dataset, labels, *, space=None, probabilities=None, categorical=(), threads=0, **more):
        """Trains it. `categorical` are columns that hold numbers of categories."""
        labels = np.asarray(labels)
        if self._multiclass and labels.ndim == 1:
            chosen, labels = np.unique(labels, return_inverse=True)
            sure = np.eye(len(chosen))[labels]
            labels = Space("probability", max(3, len(chosen))).margins(sure)
        margins = np.asarray(labels, np.float64).reshape(len(labels), -1)
        if space is None:
            kind = "probability" if self._classification else "number"
            space = Space(kind, 2 if margins.shape[1] == 1 and self._classification else margins.shape[1])
        self._space = space
        if probabilities is None and space.is_probability:
            probabilities = space.answers(margins)
        try:
            self._fit(dataset, margins, probabilities, categorical, threads, **more)
        except ImportError as error:
            raise UnsupportedError(
                f"{self._name}: it is trained by {self.needs}, which is not there ({error}): pip install "
                f"'whylight[mimic]', or pip install {self.needs}"
            ) from error
        except (ValueError, TypeError, MemoryError) as error:
            raise self._unfit(error) from error
        except Exception as error:
            if type(error).__module__.split(".")[0] == "lightgbm":
                raise self._unfit(error) from error
            raise
        self._background = dataset
        return self

    def _unfit(self, error):
        kind = DataError if "NaN" in str(error) or "infinity" in str(error) else ModelError
        hint = (
            "; linear surrogates and missing cells do not go together: fill them, or take LGBMExplainableModel"
            if kind is DataError
            else ""
        )
        return kind(f"{self._name}: it could not be fitted: {str(error).splitlines()[0]}{hint}")

    def predict(self, dataset) -> np.ndarray:
        """The numbers of the classes, or the predictions."""
        answers = self.answers(dataset)
        if self._space.is_classes:
            return self._space.labels(answers)
        return answers[:, 0] if answers.shape[1] == 1 else answers

    def predict_proba(self, dataset) -> np.ndarray:
        """The probabilities (rows, classes)."""
        if not self._space.is_probability:
            raise UnsupportedError(f"{self._name}: it was not taught probabilities")
        return self.answers(dataset)

    def explain_local(self, evaluation_examples, **more) -> list:
        """The values of the margins of rows, laid out as interpret's `local_importance_values`."""
        return self._explained(evaluation_examples).local_importance_values

    def explain_global(self, evaluation_examples=None, **more) -> list:
        """The mean |value| over rows, or over those of the training."""
        rows = self._background if evaluation_examples is None else evaluation_examples
        return self._explained(rows).global_importance_values

    @property
    def expected_values(self) -> list:
        """The base values."""
        return self._explained(self._background[:1]).expected_values

    def _explained(self, rows):
        if self._background is None:
            raise ModelError(f"{self._name} is not fitted; call fit before it is explained")
        output = "probability" if self._shap_values_output == "probability" else "raw"
        return self.explainer(sample(self._background, self._seed), output, device="cpu").explain_global(rows)


#: Rows of the background that probabilities are explained against.
BACKGROUND = 100


def sample(rows, seed):
    """Rows that stand for all of them, in their order."""
    count = rows.shape[0]
    if count <= BACKGROUND:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(count, BACKGROUND, replace=False))]
