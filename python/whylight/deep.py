"""Deep SHAP: values of networks, by multipliers that go back through their graph."""

from __future__ import annotations

import copy

import numpy as np

from . import _parameters
from ._base import unwrap
from ._engine import Explainer as Engine
from ._table import held, is_a
from .errors import ParameterError, ShapeError, UnsupportedError
from .models.network import PERCEPTRONS, arrays, check, flat, network
from .summarise import Background
from .tree import EngineExplainer

#: What rows can be computed by that pass the tolerance.
FALLBACKS = (None, "integrated_gradients", "expected_gradients")


class DeepExplainer(EngineExplainer):
    """Values of a network's inputs by DeepLIFT's multipliers, as in Deep SHAP (Lundberg & Lee 2017), on its graph.

    `model` is a torch module or a Keras model (exported to ONNX in memory), a perceptron of scikit-learn, or an ONNX
    model, the path of its file, or its bytes. `background` are the examples that others are compared with, laid out as
    the model takes them: one array, or a list or dict of arrays for several inputs; or a `Background` of weighted rows.
    Tokens are whole numbers, and have a value each: the sum over their embedding.

    Every operator of the graph has a rule: linear ones their weights, functions of one number the quotient of their
    difference (rescale), products the mean of the other factor, maxima the winner, softmax the mean of its derivatives
    along the way; `explainer.rules` lists them. Values and base value add up to the answer up to
    `e.completeness_delta`, (rows, outputs), which every result has. With a `tolerance`, in the units of the output, the
    rows that pass it are `e.past_tolerance`; `fallback="integrated_gradients"` (at 32 points a line) or
    "expected_gradients" (at 1024 points) computes them again, and `e.recomputed` names them. `layer` is the name of a
    node or value of the graph whose cells are explained in place of the inputs; `explainer.layers` has the names.
    `output_name` is the output of an ONNX graph that is explained.

    `e.values` is (examples, cells[, outputs]); `e.by_input()` has them in the inputs' shapes, and `shap_values(x)`
    returns what shap's DeepExplainer does.
    """

    #: How multipliers are computed, and at how many points, as the engine takes it.
    _how = {}

    def __init__(
        self,
        model,
        background,
        *,
        layer=None,
        tolerance=None,
        fallback=None,
        output="auto",
        output_name=None,
        groups=None,
        explain_subset=None,
        features=None,
        classes=None,
        transformations=None,
        allow_all_transformations=False,
        device="auto",
        seed=0,
        threads=0,
        memory_limit=None,
        show_progress=None,
    ):
        if background is None:
            raise ParameterError("background: None is not allowed: examples are compared with others; give a sample")
        if output not in ("auto", "raw", "probability"):
            raise ParameterError(f'output: {output!r} is not allowed: "auto", "raw" or "probability"')
        if fallback not in FALLBACKS:
            raise ParameterError(f'fallback: {fallback!r} is not allowed: "{FALLBACKS[1]}" or "{FALLBACKS[2]}"')
        whole, (model, transformations) = model, unwrap(model, transformations, allow_all_transformations)
        check(model)
        self._model_type = str(type(whole))
        rows, weights = background, None
        if isinstance(background, Background) or is_a(background, "shap.utils._legacy", "DenseData"):
            rows, weights = background.data, np.ascontiguousarray(background.weights, np.float64)
        if transformations is not None:
            from .transformations import Transformations

            before = Transformations(transformations, allow_all_transformations=True)
            examples = [np.asarray(_dense(before.transform(rows)))]
        else:
            examples = arrays(rows)
        examples = [part.reshape(len(part), -1) if part.ndim == 1 else part for part in examples]
        if len(examples[0]) == 0:
            raise ShapeError("the background: no examples; expected a sample of them")
        found = network(model, examples, output_name, output)
        self._task, self._known_classes = found.task, found.classes
        self._network = made = found.model
        self._known_features = made.features
        self._outputs = len(made.outputs)
        self._layer = None if layer is None else _parameters.text("layer", layer, "a name of a layer")
        self._begin(
            whole,
            background,
            features=features,
            classes=classes,
            explain_subset=explain_subset,
            transformations=transformations,
            allow_all_transformations=allow_all_transformations,
            show_progress=show_progress,
        )
        self._make(
            made,
            background=flat(examples),
            weights=weights,
            value_function="interventional",
            allowed='"interventional"',
            groups=groups,
            layer=self._layer,
            tolerance=None if tolerance is None else _parameters.number("tolerance", tolerance),
            fallback=fallback,
            **self._how,
            device=device,
            seed=seed,
            threads=threads,
            memory_limit=memory_limit,
        )

    @property
    def layers(self) -> dict:
        """The names that `layer` may be, with the shape of each for one example."""
        return {name: tuple(shape) for name, shape in self._network.layers()}

    @property
    def rules(self) -> list[tuple[str, str, str]]:
        """The rule of every step of the graph: its node, what it computes, and the rule's name."""
        return [tuple(step) for step in self._header().get("rules", ())]

    def shap_values(self, x):
        """Values as shap's DeepExplainer lays them out: (examples, *shape[, outputs]), in a list for several inputs."""
        found = list(self(x).by_input().values())
        return found[0] if len(found) == 1 else found

    def against(self, background) -> DeepExplainer:
        """This explainer with other background examples, without weights; the network stays as it was made."""
        examples = arrays(background)
        if len(examples[0]) == 0:
            raise ShapeError("the background: no examples; expected a sample of them")
        other = copy.copy(self)
        other._made_with = {**self._made_with, "background": flat(examples), "weights": None}
        other._engine = Engine(self._engine_model, **other._made_with)
        other._init_data = background
        return other

    def _explained(self, x, **options):
        explanation = super()._explained(self._examples(x), **options)
        if self._layer is None:
            inputs = [[name, list(_of_one(shape))] for name, shape, _ in self._network.inputs()]
            explanation.details["inputs"] = inputs
        return explanation

    def _examples(self, x):
        """Examples as a table; what is one already stays as it is."""
        x = held(x)
        if self._transformations is not None or is_a(x, "pandas", "DataFrame") or is_a(x, "pandas", "Series"):
            return x
        if hasattr(x, "__arrow_c_stream__") and not isinstance(x, np.ndarray) or hasattr(x, "tocsr"):
            return x
        inputs = self._network.inputs()
        if isinstance(x, dict):
            missing = [name for name, _, _ in inputs if name not in x]
            if missing:
                raise ShapeError(f"the inputs: {missing[0]!r} is not among {', '.join(map(str, x))}")
            x = [x[name] for name, _, _ in inputs]
        parts = arrays(x)
        is_table = parts[0].ndim == 2 and parts[0].shape[1] == len(self._known_features)
        if len(inputs) == 1 and parts[0].ndim > 1 and parts[0].shape == _of_one(inputs[0][1]) and not is_table:
            # One example, given as such.
            parts = [parts[0][None]]
        if len(parts) == 1 and parts[0].ndim == 1:
            return parts[0]
        if len(parts) != len(inputs) and not (len(parts) == 1 and parts[0].ndim == 2):
            names = ", ".join(name for name, _, _ in inputs)
            raise ShapeError(f"the inputs: expected {len(inputs)} arrays ({names}), got {len(parts)}")
        return flat(parts)

    def _players(self, names):
        if self._layer is not None:
            return self._header()["feature_names"]
        return super()._players(names)

    def _header(self):
        import json

        return json.loads(self._engine.header())


class GradientExplainer(DeepExplainer):
    """Values of a network's inputs by its derivatives along straight lines from the background.

    `method` is "integrated": integrated gradients (Sundararajan, Taly & Yan 2017) at `points` of a Gauss-Legendre rule
    on the line from every background example, 32 by default; or "expected": expected gradients (Erion et al. 2021), as
    shap's GradientExplainer has them, at `points` random ones of all lines, 1024 by default, with `e.standard_errors`.
    `e.completeness_delta` says how much the points leave of the answer. Tokens have what their embedding contributes.

    Models, background, rows, devices and the other parameters are those of `DeepExplainer`.
    """

    def __init__(self, model, background, *, method="integrated", points=None, **options):
        if method not in ("integrated", "expected"):
            raise ParameterError(f'method: {method!r} is not allowed: "integrated" or "expected"')
        samples = None if points is None else (_parameters.count("points", points, 1, bits=16) + 1) // 2
        self._how = {"estimator": f"{method}_gradients", "samples": None if samples is None else max(2, samples)}
        super().__init__(model, background, **options)


def _of_one(shape):
    """The shape of an example without the batch of 1 in front."""
    return tuple(shape[1:]) if len(shape) > 1 and shape[0] == 1 else tuple(shape)


def _dense(x):
    return x.toarray() if hasattr(x, "toarray") else x


def of_tabular(model, background, *, explain_subset=None, **options):
    """For the explainer that chooses: refuses what is no network, and a network without a background."""
    if background is None:
        raise UnsupportedError(
            f"{type(model).__qualname__}: Deep SHAP compares examples with others; give a sample as "
            "initialization_examples"
        )
    last = model.steps[-1][1] if is_a(model, "sklearn.pipeline", "Pipeline") else model
    if type(last).__name__ in PERCEPTRONS:
        raise UnsupportedError(
            f"{type(last).__qualname__}: Kernel SHAP takes scikit-learn's perceptrons by their layers; DeepExplainer "
            "takes them, too"
        )
    return DeepExplainer(model, background, explain_subset=explain_subset, **options)
