#!/bin/sh
# Builds the wheel of the Python package, installs it into an environment of its own, as a user would, and runs its
# tests beside the libraries whose models it explains.
set -eu
cd "$(dirname "$0")/.."
env=target/python/env
wheels=target/python/wheels
if [ ! -x "$env/bin/python" ]; then
    python3 -m venv "$env"
fi
pip="$env/bin/pip --quiet --disable-pip-version-check"
$pip install -r python/tests/requirements.txt
"$env/bin/ruff" check python
"$env/bin/ruff" format --check python
rm -rf "$wheels"
# The build shares the workspace's target folder: what was compiled before is not compiled again.
# WHYLIGHT_WHEEL_PROFILE=dev spares the minutes of a build as users get it.
MATURIN_PEP517_ARGS="--profile ${WHYLIGHT_WHEEL_PROFILE:-release}" CARGO_TARGET_DIR="$PWD/target" $pip wheel --no-deps --wheel-dir "$wheels" ./python
$pip install --force-reinstall --no-deps "$wheels"/whylight-*.whl
# The command, whose tests need what is installed here: as `cargo test` builds it.
CARGO_TARGET_DIR="$PWD/target" cargo test --quiet --workspace --no-run
# Beside the sources, Python would import those instead of what was installed.
cd python/tests
WHYLIGHT_WHEELS="$OLDPWD/$wheels" WHYLIGHT_COMMAND="$OLDPWD/target/debug/whylight" \
    "$OLDPWD/$env/bin/python" -m pytest --quiet
"$OLDPWD/$env/bin/python" -m mypy.stubtest --ignore-disjoint-bases whylight._engine
