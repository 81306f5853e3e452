"""The same rows on the CPU and on a GPU: how fast each is, and how far they are apart.

pip install ./python scikit-learn
python examples/compare_devices.py [ROWS]
"""

import sys
import time

import numpy as np
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor

import whylight

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000

x, y = make_regression(n_samples=ROWS, n_features=20, n_informative=8, random_state=0)
model = RandomForestRegressor(50, max_depth=8, n_jobs=-1, random_state=0).fit(x[:5000], y[:5000])

found = {}
for device in ("cpu", "gpu", "gpu:0"):  # a software adapter is taken by its number alone
    try:
        explainer = whylight.TreeExplainer(model, device=device)
    except whylight.DeviceError as error:
        print(f"{device}: {error}")
        continue
    explainer(x[:100])  # the model is packed, and the kernels are compiled, once
    start = time.perf_counter()
    e = explainer(x)
    seconds = time.perf_counter() - start
    found[device] = e.values
    print(f"{device}: {e.device}, {ROWS / seconds:,.0f} rows/s, additivity within {e.additivity_error:.1e}")

for device, values in found.items():
    if device != "cpu":
        largest = np.abs(found["cpu"]).max(axis=1, keepdims=True)
        apart = (np.abs(values - found["cpu"]) / largest).max()
        print(f"{device} and cpu are {apart:.1e} of a row's largest value apart, at the most")
        assert apart <= 1e-5
