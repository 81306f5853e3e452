"""An explanation as other libraries take it: shap, pandas, Arrow, matplotlib, notebooks."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError


class Exports:
    """What an explanation is turned into."""

    def to_shap(self):
        """A `shap.Explanation`, for shap's plots."""
        self._need_local("to_shap")
        import shap

        base = np.asarray(self.base_values, np.float64)
        if not self._has_own_bases:
            several = base.ndim and base.size > 1
            base = np.tile(base, (len(self), 1)) if several else np.full(len(self), np.ravel(base)[0])
        return shap.Explanation(
            self.values,
            base_values=base,
            data=np.asarray(self.data) if self._eval_data is not None and self._has_own_cells else None,
            feature_names=self.feature_names,
            output_names=self.output_names if self.num_outputs > 1 else None,
        )

    @classmethod
    def from_shap(cls, explanation, *, model_task="unknown", classes=None):
        """The explanation in a `shap.Explanation` whose base values are the same for every row."""
        values = np.asarray(explanation.values)
        if values.ndim == 1:
            values = values.reshape(1, -1)
        base = np.asarray(explanation.base_values, np.float64)
        if base.ndim and len(base) == len(values) and base.shape != values.shape[2:]:
            if len(base) and not np.allclose(base, base[:1], rtol=1e-9, atol=0):
                raise ParameterError("base_values: one per row are not allowed where they differ: one per output")
            base = base[0] if len(base) else base
        return cls(
            values,
            base_values=float(np.ravel(base)[0]) if base.size == 1 else base.tolist(),
            data=explanation.data,
            feature_names=explanation.feature_names,
            output_names=explanation.output_names if values.ndim == 3 else None,
            model_task=model_task,
            classes=classes,
            details={"method": "shap"},
        )

    def column_names(self) -> list[str]:
        """A name per feature; of several outputs `output · feature`, the outputs of a feature side by side."""
        if self.num_outputs == 1:
            return list(self.feature_names)
        return [f"{output} · {feature}" for feature in self.feature_names for output in self.output_names]

    def to_pandas(self):
        """The values as a DataFrame, a column per feature (and output), with the index of an explained DataFrame."""
        self._need_local("to_pandas")
        import pandas

        index = getattr(self._eval_data, "index", None) if hasattr(self._eval_data, "columns") else None
        return pandas.DataFrame(self._flat(), columns=self.column_names(), index=index)

    def to_arrow(self):
        """The values as a pyarrow Table, a column per feature (and output), with `details` as its metadata."""
        self._need_local("to_arrow")
        import json

        import pyarrow

        flat = self._flat()
        columns = [np.ascontiguousarray(flat[:, i]) for i in range(flat.shape[1])]
        table = pyarrow.table(dict(zip(self.column_names(), columns, strict=True)))
        base = None if self.base_values is None else np.atleast_1d(self.base_values).tolist()
        said = {**self.details, "base_values": base, "classes": self._classes}
        return table.replace_schema_metadata({"whylight": json.dumps(said, default=str)})

    def _flat(self):
        return self.values.reshape(len(self), -1)

    @property
    def plot(self):
        """Plots as matplotlib figures: `bar`, `beeswarm`, `waterfall`, `scatter`."""
        from ..plot import Plots

        return Plots(self)

    def _repr_html_(self):
        from ..html import summary

        return summary(self)
