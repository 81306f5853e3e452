"""A service that answers with the reasons for each prediction, on Python's own HTTP server.

    pip install ./python scikit-learn
    python examples/service.py [PORT]
    curl -d '{"instances": [[14.2, 20.1, …]]}' http://127.0.0.1:8000/predict

The explainer is made once, and used by all threads: a row's values take some microseconds beside the prediction.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

import whylight

REASONS = 3

data = load_breast_cancer()
classes = data.target_names.tolist()
model = GradientBoostingClassifier(random_state=0).fit(data.data, data.target)
# A service explains few rows at a time: a GPU would only wait for them.
explainer = whylight.TreeExplainer(model, features=data.feature_names.tolist(), classes=classes, device="cpu")


def answer(instances):
    """The prediction for each row, and the features that speak for it and against it the most."""
    rows = np.asarray(instances, np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(data.feature_names):
        raise ValueError(f"instances: expected rows of {len(data.feature_names)} numbers")
    e = explainer(rows)
    found = []
    for row, p in enumerate(model.predict_proba(rows)):
        order = np.argsort(-np.abs(e.values[row]))[:REASONS]
        found.append(
            {
                "class": classes[int(p.argmax())],
                "probability": float(p.max()),
                "base_value": float(e.base_values),
                # In the log-odds of the second class.
                "reasons": {e.feature_names[feature]: float(e.values[row, feature]) for feature in order},
            }
        )
    return found


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            status, said = 200, {"predictions": answer(sent["instances"])}
        except (KeyError, TypeError, ValueError) as error:  # whylight's errors of data and shapes are ValueErrors
            status, said = 400, {"error": str(error) or type(error).__name__}
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}/predict", flush=True)
    server.serve_forever()
