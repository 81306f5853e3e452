"""Makes the cases whose values shap's DeepExplainer and captum's DeepLiftShap compute, too: tests/corpus/onnx_deep/<case>/.

    python onnx_deep.py OUT   # requirements-onnx_deep-1.23.txt

`others.npy` is the background, `shap.npy` and `captum.npy` have the values (rows, cells · outputs).
"""

import io
import json
import os
import sys
import warnings
from pathlib import Path

# A file beside this one has the name of a library.
sys.path = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))]

import captum
import numpy as np
import shap
import torch
from captum.attr import DeepLiftShap
from torch import nn

warnings.simplefilter("ignore")


def mlp(activation):
    return nn.Sequential(nn.Linear(7, 9), activation(), nn.Linear(9, 6), activation(), nn.Linear(6, 3)), (7,)


def cnn(pool):
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), pool(2), nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 2)), (2, 10, 10)


def normalised():
    norm = nn.BatchNorm2d(3)
    norm.running_mean = torch.tensor([0.1, -0.2, 0.3])
    norm.running_var = torch.tensor([0.5, 1.5, 2.0])
    return nn.Sequential(nn.Conv2d(1, 3, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)), (1, 6, 6)


def transposed():
    layers = [nn.ConvTranspose2d(1, 2, 3, stride=2), nn.Sigmoid(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(18, 2)]
    return nn.Sequential(*layers), (1, 4, 4)


class Reused(nn.Module):
    """One ReLU for two layers, which captum refuses: `apart` is the same with one each."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.last(self.relu(self.second(self.relu(self.first(x)))))

    def apart(self):
        return nn.Sequential(self.first, nn.ReLU(), self.second, nn.ReLU(), self.last)


CASES = {
    "mlp_relu": lambda: mlp(nn.ReLU),
    "mlp_leaky_relu": lambda: mlp(nn.LeakyReLU),
    "mlp_elu": lambda: mlp(nn.ELU),
    "mlp_selu": lambda: mlp(nn.SELU),
    "mlp_gelu": lambda: mlp(nn.GELU),
    "mlp_sigmoid": lambda: mlp(nn.Sigmoid),
    "mlp_tanh": lambda: mlp(nn.Tanh),
    "mlp_softplus": lambda: mlp(nn.Softplus),
    "cnn_max": lambda: cnn(nn.MaxPool2d),
    "cnn_average": lambda: cnn(nn.AvgPool2d),
    "cnn_batch_norm": normalised,
    "cnn_transposed": transposed,
    "reused": lambda: (Reused(), (5,)),
}


def main():
    for seed, (name, make) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        module, shape = make()
        module.eval()
        x, others = torch.randn(3, *shape), torch.randn(5, *shape)
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.onnx.export(module, (x[:1],), buffer, dynamo=False)
        (folder / "model.onnx").write_bytes(buffer.getvalue())
        plain = module.apart() if hasattr(module, "apart") else module
        found = {"shap": shap.DeepExplainer(plain, others).shap_values(x, check_additivity=True)}
        # captum has no rule for the first two, and its rule of maxima does not add up.
        if name not in ("mlp_gelu", "mlp_selu", "cnn_max"):
            outputs = found["shap"].shape[-1]
            lift = DeepLiftShap(plain)
            targets = [lift.attribute(x, others, target=k).detach().numpy() for k in range(outputs)]
            found["captum"] = np.stack(targets, axis=-1)
        for key, values in found.items():
            np.save(folder / f"{key}.npy", np.asarray(values, np.float64).reshape(len(x), -1))
        np.save(folder / "rows.npy", x.double().numpy().reshape(len(x), -1))
        np.save(folder / "others.npy", others.double().numpy().reshape(len(others), -1))
        facts = {"shap": shap.__version__, "captum": captum.__version__, "torch": torch.__version__}
        (folder / "case.json").write_text(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
