"""A support vector machine on scikit-learn's breast cancer data, explained as in Azure's how-to for the
interpretability package: the importance of every feature over many rows, and the reasons for single predictions.

    pip install ./python scikit-learn interpret-core    # the last one is optional
    python examples/tabular.py
"""

import time
import warnings

from sklearn import svm
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

try:
    from interpret.ext.blackbox import TabularExplainer
except ImportError:  # interpret-core, through which the line above finds whylight, is not installed
    from whylight import TabularExplainer

# From scikit-learn 1.9 on, CalibratedClassifierCV(SVC(), ensemble=False) is to take the place of probability=True.
warnings.filterwarnings("ignore", "The `probability` parameter", FutureWarning)

breast_cancer_data = load_breast_cancer()
classes = breast_cancer_data.target_names.tolist()
x_train, x_test, y_train, y_test = train_test_split(
    breast_cancer_data.data, breast_cancer_data.target, test_size=0.2, random_state=0
)
clf = svm.SVC(gamma=0.001, C=100.0, probability=True)
model = clf.fit(x_train, y_train)

start = time.perf_counter()
explainer = TabularExplainer(model, x_train, features=breast_cancer_data.feature_names, classes=classes)
global_explanation = explainer.explain_global(x_test)
sorted_global_importance_values = global_explanation.get_ranked_global_values()
sorted_global_importance_names = global_explanation.get_ranked_global_names()

print(f"An SVC on {len(x_test)} tumours that it has never seen, by {global_explanation.method}:")
for name, value in zip(sorted_global_importance_names[:5], sorted_global_importance_values[:5], strict=True):
    print(f"  {name:<24}{value:.4f}")

local_explanation = explainer.explain_local(x_test[0:5])
sorted_local_importance_names = local_explanation.get_ranked_local_names()
sorted_local_importance_values = local_explanation.get_ranked_local_values()

for row, label in enumerate(model.predict(x_test[0:5])):
    names, values = sorted_local_importance_names[label][row], sorted_local_importance_values[label][row]
    reasons = ", ".join(f"{name} {value:+.4f}" for name, value in zip(names[:3], values[:3], strict=True))
    print(f"row {row + 1} is {classes[label]}, because of {reasons}")
print(f"{time.perf_counter() - start:.1f} s")
