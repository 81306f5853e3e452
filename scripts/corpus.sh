#!/usr/bin/env bash
# Makes the corpus of model files anew, in tests/corpus/<library>/, each case by the version of the library that its
# folder names. The environments are kept under target/corpus. Interpreters that are missing are named and skipped.
#
#   scripts/corpus.sh [NAME ...]     all, or those whose name is given, such as xgboost-3.4.1
set -euo pipefail
cd "$(dirname "$0")/.."
make=tests/corpus/make

# Environments and the Python that their pins were made for. The newest of ONNX comes after the older: it completes it.
environments="
xgboost-1.0.2 3.8
xgboost-1.7.6 3.9
xgboost-2.1.4 3.11
xgboost-3.0.5 3.11
xgboost-3.2.0 3.11
xgboost-3.4.1 3.12
lightgbm-2.3.1 3.8
lightgbm-3.3.5 3.8
lightgbm-4.7.0 3.12
catboost-0.26 3.8
catboost-1.0.6 3.8
catboost-1.2.10 3.12
onnx-1_11 3.8
onnx-1_23 3.12
onnx_native-1.23 3.11
treelite-4.8.1 3.12
"

interpreter() {
    if command -v "python$1" >/dev/null 2>&1 && "python$1" -c '' 2>/dev/null; then
        echo "python$1"
    elif command -v pyenv >/dev/null 2>&1; then
        ls -d "$(pyenv root)"/versions/"$1".*/bin/python 2>/dev/null | sort -V | tail -1
    fi
}

skipped=0
while read -r name version; do
    [ -n "$name" ] || continue
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    pins=$make/requirements-$name.txt
    python=$(interpreter "$version")
    if [ -z "$python" ]; then
        echo "corpus: $name needs Python $version, which is not here; skipped" >&2
        skipped=1
        continue
    fi
    environment=target/corpus/$name
    if [ "$(cat "$environment/.stamp" 2>/dev/null)" != "$(sha256sum <"$pins")" ]; then
        echo "corpus: building $environment"
        rm -rf "$environment"
        "$python" -m venv "$environment"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$pins"
        sha256sum <"$pins" >"$environment/.stamp"
    fi
    library=${name%%-*}
    echo "corpus: $name"
    PYTHONHASHSEED=0 "$environment/bin/python" "$make/$library.py" "tests/corpus/$library"
done <<<"$environments"
exit $skipped
