"""The examples run as they say, and what they print holds."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments], capture_output=True, text=True, cwd=cwd, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_large_table_is_explained_in_pieces(tmp_path):
    pytest.importorskip("lightgbm")
    said = run("large_table.py", "120000", cwd=tmp_path)
    assert re.search(r"120,000 rows on .+ rows/s", said)
    ranked = re.findall(r"^  (.+?)\s+\d\.\d+$", said, re.MULTILINE)
    assert ranked[0] == "returns before" and len(ranked) == 5
    assert (tmp_path / "large_table.npz").exists()


def test_devices_are_compared(tmp_path):
    pytest.importorskip("sklearn")
    said = run("compare_devices.py", "500", cwd=tmp_path)
    assert "cpu: " in said
    if os.environ.get("WHYLIGHT_REQUIRE_GPU") == "1":
        assert "apart, at the most" in said


def test_texts_are_explained_one_by_one_and_as_a_corpus(tmp_path):
    pytest.importorskip("sklearn")
    said = run("texts.py", cwd=tmp_path)
    first = said.splitlines()[0]
    assert {"loved", "fresh"} <= set(first.split(": ")[-1].split(", ")), first
    agreement = float(re.search(r"answers ([\d.]+)% of", said)[1])
    assert agreement >= 95
    ranked = said.split("as the model does")[1].split()
    assert "rude" in ranked and "table" not in ranked
    assert "excellent" in (tmp_path / "texts.html").read_text(encoding="utf-8")


def test_a_service_says_its_reasons_and_refuses_what_is_no_row():
    data = pytest.importorskip("sklearn.datasets").load_breast_cancer()
    command = [sys.executable, EXAMPLES / "service.py", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[-1]

            def ask(sent):
                request = urllib.request.Request(address, json.dumps(sent).encode())
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)

            first, second = ask({"instances": data.data[:2].tolist()})["predictions"]
            assert first["class"] == "malignant" and first["probability"] > 0.9
            assert len(second["reasons"]) == 3
            # What speaks for "malignant", the first class, lowers the log-odds of the second.
            assert sum(first["reasons"].values()) < 0
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask({"instances": [[1, 2]]})
            assert "rows of 30 numbers" in json.load(refused.value)["error"]
        finally:
            server.terminate()
