"""The explainer that chooses among the others."""

from __future__ import annotations

from . import deep
from .errors import UnsupportedError
from .kernel import of_tabular
from .linear import LinearExplainer
from .tree import TreeExplainer


def _trees(model, background, **options):
    """Path-dependent values where the model has them; LightGBM's linear trees have values against the background."""
    try:
        return TreeExplainer(model, **options)
    except UnsupportedError as refused:
        if background is None:
            raise
        try:
            return TreeExplainer(model, background, **options)
        except UnsupportedError:
            raise refused from None


#: The methods in the order in which they are tried: a new one is a line here.
METHODS = {
    "Tree SHAP": _trees,
    "Deep SHAP": deep.of_tabular,
    "Linear SHAP": LinearExplainer,
    "Kernel SHAP": of_tabular,
}


class TabularExplainer:
    """Explains a model by the fastest method that takes it: Tree SHAP, then Deep SHAP, then Linear SHAP, then Kernel
    SHAP.

    Parameters are those of the methods: `features` and `classes` are names, `transformations` takes raw rows to the
    model's columns, `groups` are features that play as one (not for linear models), `device` is "auto", "cpu", "gpu" or
    "gpu:N"; `use_gpu=True` is `device="gpu"`. `explainer` is the chosen one, `reasons` say why others were not taken.
    """

    #: What interpret asks of an explainer.
    explainer_type = "blackbox"
    available_explanations = ["global", "local"]

    def __init__(
        self,
        model,
        initialization_examples=None,
        *,
        groups=None,
        explain_subset=None,
        features=None,
        classes=None,
        transformations=None,
        allow_all_transformations=False,
        model_task="unknown",
        use_gpu=False,
        device="auto",
        seed=0,
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        self.model = model
        self.reasons = {}
        options = {
            "groups": groups,
            "explain_subset": explain_subset,
            "features": features,
            "classes": classes,
            "transformations": transformations,
            "allow_all_transformations": allow_all_transformations,
            "device": "gpu" if use_gpu and device == "auto" else device,
            "seed": seed,
            "threads": threads,
            "memory_limit": memory_limit,
            "show_progress": show_progress,
        }
        for name, method in METHODS.items():
            try:
                self.explainer = method(model, initialization_examples, **options)
            except UnsupportedError as error:
                self.reasons[name] = str(error)
            else:
                self.explainer._init_data = initialization_examples
                break
        else:
            tried = "; ".join(f"{name}: {reason}" for name, reason in self.reasons.items())
            raise UnsupportedError(f"{type(model).__module__}.{type(model).__qualname__}: no method takes it. {tried}")
        if model_task not in ("unknown", None):
            self.explainer._task = model_task

    @property
    def features(self):
        return self.explainer.features

    @property
    def classes(self):
        return self.explainer.classes

    def __call__(self, x):
        """As the chosen explainer."""
        return self.explainer(x)

    def explain_local(self, evaluation_examples):
        """As the chosen explainer."""
        return self.explainer.explain_local(evaluation_examples)

    def explain_global(self, evaluation_examples, sampling_policy=None, include_local=True, batch_size=None):
        """As the chosen explainer."""
        return self.explainer.explain_global(evaluation_examples, sampling_policy, include_local, batch_size)
