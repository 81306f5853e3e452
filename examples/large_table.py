"""A table that is too large for other tools: the importance of every feature over all rows, and the values of some in a
file, in a bounded memory, on a GPU where there is one.

    pip install ./python lightgbm
    python examples/large_table.py [ROWS]
"""

import sys
import time

import lightgbm
import numpy as np

import whylight

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000

# Orders of a shop, as a model of their returns sees them: numbers, categories, missing cells.
rng = np.random.default_rng(0)
names = ["price", "items", "weight", "country", "weekday", "discount", "age of account", "returns before"]
x = rng.normal(size=(ROWS, len(names))).astype(np.float32)
x[:, 3] = rng.integers(0, 40, ROWS)
x[:, 4] = rng.integers(0, 7, ROWS)
x[rng.random(ROWS) < 0.2, 6] = np.nan
y = x[:, 0] * x[:, 5] + (x[:, 3] % 5 == 0) + 2 * x[:, 7] + rng.normal(size=ROWS) > 0.5
model = lightgbm.LGBMClassifier(n_estimators=100, max_depth=6, verbose=-1)
model.fit(x[:100_000], y[:100_000], categorical_feature=[3, 4])

# `device="auto"` takes a GPU where there is one, and says so.
explainer = whylight.TreeExplainer(model, features=names, memory_limit=256 << 20)

start = time.perf_counter()
e = explainer.explain_global(x, include_local=False)  # no local values are kept: any number of rows fits
seconds = time.perf_counter() - start
print(f"{ROWS:,} rows on {e.device} ({e.device_reason}) in {seconds:.1f} s: {ROWS / seconds:,.0f} rows/s")
print(f"values and base value add up to the margin within {e.additivity_error:.1e}")
for name, value in e.get_feature_importance_dict(top_k=5).items():
    print(f"  {name:<16}{value:.4f}")

some = explainer.explain_local(x[:1000])
whylight.save_explanation(some, "large_table.npz", exist_ok=True)
print("the values of the first 1,000 rows are in large_table.npz")
