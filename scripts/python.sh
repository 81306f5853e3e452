#!/bin/sh
# Checks that every Python script parses. A machine without Python has nothing to check: it is needed by the
# scripts alone, which make models and measure peers.
set -eu
cd "$(dirname "$0")/.."
if ! command -v python3 >/dev/null 2>&1; then
    echo "python: no python3 here; the scripts are not checked"
    exit 0
fi
git ls-files -z '*.py' | xargs -0 python3 -c '
import ast, pathlib, sys
for path in sys.argv[1:]:
    ast.parse(pathlib.Path(path).read_text(encoding="utf-8"), path)
print(f"python: {len(sys.argv) - 1} scripts parse")
'
