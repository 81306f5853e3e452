"""The engine of whylight."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Explainer",
    "Judge",
    "Model",
    "Surrogate",
    "TableReader",
    "TableWriter",
    "__version__",
    "answers",
    "explain_permutation",
    "explain_texts",
    "kmeans",
    "metric",
    "permutation",
    "pick",
]

__version__: str

_Column = NDArray[np.float32] | NDArray[np.float64] | tuple[NDArray[np.int32], Sequence[str]]
_Positions = NDArray[np.int32] | NDArray[np.int64]
#: Entries, their columns, the first entry of each row and the end of the last, and the number of columns.
_Sparse = tuple[NDArray[np.float32] | NDArray[np.float64], _Positions, _Positions, int]
_Data = NDArray[np.float32] | NDArray[np.float64] | _Sparse | Sequence[_Column]

@final
class Model:
    """A model, in the engine's own form."""

    @staticmethod
    def parse(bytes: bytes, name: str, *, any: bool = False) -> Model: ...
    @staticmethod
    def load(path: str | os.PathLike[str], *, any: bool = False) -> Model: ...
    @staticmethod
    def network(
        source: bytes | str | os.PathLike[str],
        name: str = "<memory>",
        *,
        cells: int | None = None,
        shapes: Sequence[tuple[str, Sequence[int]]] | None = None,
        examples: Sequence[Sequence[int]] | None = None,
        output: str | None = None,
    ) -> Model: ...
    def as_network(self, probability: bool) -> Model: ...
    def as_black_box(self) -> Model: ...
    def inputs(self) -> list[tuple[str, list[int], bool]]: ...
    def layers(self) -> list[tuple[str, list[int]]]: ...
    def output_shape(self) -> list[int]: ...
    @staticmethod
    def from_trees(
        kind: str,
        objective: str,
        features: Sequence[tuple[str | None, Sequence[str] | None]],
        outputs: Sequence[str],
        base: Sequence[float],
        trees: Sequence[dict[str, Any]],
        *,
        wide: bool,
    ) -> Model: ...
    @staticmethod
    def from_linear(
        kind: str,
        objective: str,
        names: Sequence[str] | None,
        outputs: Sequence[str],
        coefficients: NDArray[np.float64],
        intercepts: Sequence[float],
    ) -> Model: ...
    @staticmethod
    def from_kernel_machine(kind: str, parts: dict[str, Any]) -> Model: ...
    @staticmethod
    def from_mlp(kind: str, parts: dict[str, Any]) -> Model: ...
    @staticmethod
    def from_naive_bayes(kind: str, parts: dict[str, Any]) -> Model: ...
    @staticmethod
    def from_neighbours(kind: str, parts: dict[str, Any]) -> Model: ...
    @staticmethod
    def from_function(
        features: Sequence[str | None],
        outputs: Sequence[str],
        function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> Model: ...
    def answers(self, rows: NDArray[np.float64], probability: bool) -> NDArray[np.float64]: ...
    @property
    def format(self) -> str: ...
    @property
    def objective(self) -> str: ...
    @property
    def features(self) -> list[str | None]: ...
    @property
    def categories(self) -> list[list[str] | None]: ...
    @property
    def outputs(self) -> list[str]: ...
    def width(self, probability: bool) -> int: ...
    @property
    def has_cover(self) -> bool: ...

@final
class Explainer:
    """A model made ready for a device."""

    def __new__(
        cls,
        model: Model,
        background: _Data | None = None,
        background_names: Sequence[str] | None = None,
        *,
        weights: NDArray[np.float64] | None = None,
        mean: NDArray[np.float64] | None = None,
        covariance: NDArray[np.float64] | None = None,
        value_function: str = "auto",
        interactions: bool = False,
        index: str = "shapley",
        groups: Sequence[tuple[str, Sequence[int]]] | None = None,
        used_only: bool = False,
        output: str = "raw",
        estimator: str = "auto",
        link: str = "identity",
        samples: int | None = None,
        tolerance: float | None = None,
        allow_noise: bool = False,
        layer: str | None = None,
        fallback: str | None = None,
        lime: Mapping[str, object] | None = None,
        device: str = "auto",
        threads: int = 0,
        memory_limit: int | None = None,
        additivity_rows: int | None = None,
        seed: int = 0,
    ) -> Explainer: ...
    def header(self) -> str: ...
    def explain(
        self, data: _Data, names: Sequence[str] | None = None, progress: Callable[[int], object] | None = None
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float32] | None,
        NDArray[np.float32] | None,
        NDArray[np.bool_] | None,
        NDArray[np.float64] | None,
        NDArray[np.float32] | None,
        str,
    ]:
        """The values, their errors where they are estimated, deltas and the fallback's rows of networks, the base
        values and the fits of LIME's rows, a trailer."""
    def components(self, data: _Data, names: Sequence[str] | None = None) -> list[int]:
        """Of LIME, what the cells of rows (rows, features) are like, as numbers, for `pick`."""
    def local_samples(
        self, data: _Data, names: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], list[list[int]]] | None:
        """Of LIME and one row: representations, weights, answers, and the chosen features by output."""
    def summarise(
        self, data: _Data, names: Sequence[str] | None = None, progress: Callable[[int], object] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
        """The mean and the standard deviation of |value|, and a trailer."""

def pick(values: NDArray[np.float32], components: Sequence[int], budget: int) -> list[int]:
    """SP-LIME: the rows of values (rows, features, outputs) that cover the most components (rows, features)."""

def kmeans(
    data: _Data,
    clusters: int,
    names: Sequence[str] | None = None,
    *,
    weights: NDArray[np.float64] | None = None,
    round: bool = True,
    seed: int = 0,
    device: str = "auto",
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int], str, list[str]]:
    """Centres (clusters, columns), the share of each, its rows, the device, and notes."""

def explain_texts(
    texts: Sequence[str],
    function: Callable[[list[str]], NDArray[np.float64]],
    outputs: Sequence[str] | None,
    options: Mapping[str, object],
    progress: Callable[[int], object] | None = None,
) -> tuple[list[dict[str, Any]], list[str], int, int]:
    """For each text its words, sentences and values; the names of the outputs, calls, and texts asked for."""

@final
class Surrogate:
    """A network that answers texts as a model does."""

    @staticmethod
    def train(
        texts: Sequence[str],
        answers: NDArray[np.float64],
        names: Sequence[str],
        training: Mapping[str, object],
        options: Mapping[str, object],
        progress: Callable[[int, int, float, float | None, float], object] | None = None,
    ) -> tuple[Surrogate, BaseException | None]:
        """Of texts and answers (texts, outputs); and what ended the training before its end."""
    def learn(
        self,
        texts: Sequence[str],
        answers: NDArray[np.float64],
        training: Mapping[str, object],
        options: Mapping[str, object],
        progress: Callable[[int, int, float, float | None, float], object] | None = None,
    ) -> BaseException | None:
        """Goes on, up to the epochs of `training`."""
    def explain(
        self,
        texts: Sequence[str],
        function: Callable[[list[str]], NDArray[np.float64]] | None,
        points: int,
        samples: int,
        options: Mapping[str, object],
        progress: Callable[[int], object] | None = None,
    ) -> tuple[list[dict[str, Any]], list[str], int, int]:
        """As `explain_texts`, by the surrogate, corrected by answers to `samples` parts of each text."""
    def answers(self, texts: Sequence[str], options: Mapping[str, object]) -> NDArray[np.float64]: ...
    def fidelity(self) -> tuple[list[str], str]:
        """The names of the outputs, and JSON."""
    def coverage(self) -> tuple[int, int, int, int] | None:
        """Distinct words, those with a vector, words, and those with a vector."""
    def epochs(self) -> list[tuple[float, float | None]]: ...
    def device(self) -> str: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    @staticmethod
    def load(path: str | os.PathLike[str]) -> Surrogate: ...

@final
class TableWriter:
    """A Parquet or Arrow file while it is written; it bears its name when it is finished."""

    def __new__(
        cls,
        path: str | os.PathLike[str],
        columns: Sequence[tuple[str, bool]],
        metadata: Sequence[tuple[str, str]],
    ) -> TableWriter:
        """`columns` are names and whether each holds float64, else float32."""
    def write(self, parts: Sequence[NDArray[np.float32] | NDArray[np.float64]]) -> None: ...
    def finish(self) -> int: ...

@final
class TableReader:
    """A table file while it is read."""

    def __new__(cls, path: str | os.PathLike[str]) -> TableReader: ...
    @property
    def columns(self) -> int: ...
    @property
    def rows(self) -> int | None: ...
    def metadata(self, key: str) -> str | None: ...
    def next(self) -> list[NDArray[np.float32] | NDArray[np.float64] | None] | None: ...

@final
class Judge:
    """A metric with labels."""

    def __new__(
        cls,
        name: str,
        truth: tuple[NDArray[np.uint32], int] | NDArray[np.float64],
        decide: str = "largest",
        *,
        above: float = 0.5,
        average: str | None = None,
        positive: int | None = None,
        numbers: Sequence[tuple[str, float]] = ...,
    ) -> Judge: ...
    def score(self, answers: NDArray[np.float64]) -> float: ...
    def score_classes(self, told: NDArray[np.uint32]) -> float: ...
    @property
    def name(self) -> str: ...
    @property
    def is_error(self) -> bool: ...

def metric(name: str) -> tuple[str, bool, str]:
    """Its name in results, whether it is an error, and what it takes."""

def explain_permutation(
    model: Model,
    data: _Data,
    names: Sequence[str] | None,
    score: Judge | tuple[Callable[[NDArray[np.float64]], float], str, bool],
    *,
    output: str = "raw",
    n_repeats: int = 5,
    seed: int = 0,
    groups: Sequence[tuple[str, Sequence[int]]] | None = None,
    subset: Sequence[int] | None = None,
    strata: NDArray[np.uint32] | None = None,
    device: str = "auto",
    threads: int = 0,
    memory_limit: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[NDArray[np.float64], str]:
    """The importances (features, repeats), and all that was computed as JSON."""

def answers(
    model: Model, data: _Data, names: Sequence[str] | None, output: str = "raw", threads: int = 0
) -> NDArray[np.float64]:
    """What a model answers to rows, (rows, outputs)."""

def permutation(
    rows: int, seed: int, place: int, repeat: int, strata: NDArray[np.uint32] | None = None
) -> NDArray[np.uint32]:
    """By row the one that gives it its cells."""
