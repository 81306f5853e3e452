#!/usr/bin/env bash
# Build the environments and train the models of the peer benchmark under target/peers.
#
# WHYLIGHT_PEERS_PYTHON names the interpreter (3.12 or newer) where the search does not find the right one;
# WHYLIGHT_PEERS_OLD_PYTHON does the same for fasttreeshap's (3.9).
set -euo pipefail
cd "$(dirname "$0")/../.."
here=benches/peers
out=target/peers
mkdir -p "$out"

# find_python LOWEST HIGHEST CANDIDATE...: the first candidate that runs and whose version is in the range.
find_python() {
    local lowest=$1 highest=$2 candidate
    shift 2
    for candidate in "$@"; do
        if [ -n "$candidate" ] && "$candidate" -c "
import sys
sys.exit(not ($lowest <= sys.version_info[:2] <= $highest))" >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

# Interpreters that pyenv has installed, whether or not they are switched on.
pyenv_python() {
    command -v pyenv >/dev/null 2>&1 || return 0
    local root
    root=$(pyenv root)
    ls -d "$root"/versions/"$1"*/bin/python 2>/dev/null | sort -V -r || true
}

# install NAME PYTHON REQUIREMENTS: an environment that is kept while its requirements stay the same.
install() {
    local environment=$out/$1 python=$2 requirements=$3 stamp
    stamp="$("$python" --version) $(sha256sum "$requirements" | cut -d' ' -f1)"
    if [ "$(cat "$environment/.stamp" 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    echo "bench-peers: building $environment with $("$python" --version)"
    rm -rf "$environment"
    "$python" -m venv "$environment" &&
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" &&
        echo "$stamp" >"$environment/.stamp"
}

if ! python=$(find_python '(3, 12)' '(3, 13)' "${WHYLIGHT_PEERS_PYTHON:-}" \
    python3.12 python3.13 $(pyenv_python 3.12) $(pyenv_python 3.13) python3); then
    cat >&2 <<'MESSAGE'
bench-peers: no Python 3.12 or 3.13 found (tried python3.12, python3.13, pyenv's versions and python3).
The peers' versions need it. Install one (`pyenv install 3.12`, or your system's python3.12 with its venv
module), or name one: WHYLIGHT_PEERS_PYTHON=/path/to/python3.12 make bench-peers
MESSAGE
    exit 1
fi
install env "$python" "$here/requirements.txt"
# whylight itself, as its peers: a wheel.
rm -rf "$out/wheels"
CARGO_TARGET_DIR="$PWD/target" "$out/env/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
    --wheel-dir "$out/wheels" ./python
"$out/env/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$out"/wheels/*.whl

reason=$out/fasttreeshap-skipped.txt
rm -f "$reason"
if ! old=$(find_python '(3, 8)' '(3, 10)' "${WHYLIGHT_PEERS_OLD_PYTHON:-}" python3.9 $(pyenv_python 3.9)); then
    echo "no Python 3.9 found" >"$reason"
elif ! install env-fasttreeshap "$old" "$here/requirements-fasttreeshap.txt" >"$out/fasttreeshap-install.log" 2>&1; then
    echo "it does not install here (see $out/fasttreeshap-install.log)" >"$reason"
elif ! "$out/env-fasttreeshap/bin/python" -c 'import fasttreeshap' >>"$out/fasttreeshap-install.log" 2>&1; then
    echo "it installs but does not import (see $out/fasttreeshap-install.log)" >"$reason"
fi
if [ -f "$reason" ]; then
    echo "bench-peers: fasttreeshap is skipped: $(cat "$reason")"
fi

# The models that are compared; those that are there are kept.
"$out/env/bin/python" "$here/models.py"
