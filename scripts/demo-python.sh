#!/bin/sh
# The part of `make demo` in Python, by an interpreter that has whylight and scikit-learn: $PYTHON, python3, or that of
# `make python-tests`. Without one it says how to get there: building the wheel takes minutes, which a demo has not.
set -eu
cd "$(dirname "$0")/.."
for python in "${PYTHON:-python3}" target/python/env/bin/python; do
    if "$python" -c 'import sklearn, whylight' >/dev/null 2>&1; then
        echo
        echo "The same data in Python, examples/tabular.py:"
        echo
        exec "$python" examples/tabular.py
    fi
done
echo
echo "In Python: pip install ./python scikit-learn interpret-core && python examples/tabular.py"
