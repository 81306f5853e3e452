"""The peer benchmark: whylight against the libraries that explain trees, in one run on one machine.

    python run.py [--quick] [--only CASE]... [--rounds N] [--cap SECONDS]

Every peer runs in a process of its own, on one thread pinned to one core, and
its calls alternate with whylight's, so that a machine that slows down slows
both. whylight is timed as its peers are, through Python; the engine's own time,
of the command, stands beside it. A time is from the table in memory to the values in memory; the peer's
own table is built inside it and its model is loaded outside it. A peer that is
too slow for a case explains fewer of its rows: the rows it explained are in the
table, and its rate is marked with `*`.

A whole run writes benches/record/<date>-<cpu>.json and .md. A run with --quick
or --only writes target/peers/partial.json and .md, so that it never takes the
place of a whole one. Nothing is asserted.
"""

import argparse
import datetime
import fnmatch
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import numpy as np

import models
from driver import Peer, PeerFailure, WhylightFailure, affinity, whylight_bench, whylight_twice, whylight_values
from table import machine, markdown, summary

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "target" / "peers"

XGBOOST_PEERS = ("xgboost", "shap", "woodelf", "fasttreeshap")

# For one and ten rows: woodelf, whose cost is per model, stays out.
FEW_ROW_PEERS = ("xgboost", "shap", "fasttreeshap")

# For values against a background: shap walks row by row, woodelf counts patterns.
BACKGROUND_PEERS = ("shap", "woodelf")

# (model, rows, ratio asked of the first peer, peers, background rows of interventional values or interactions).
CASES = [
    ("xgb_100x3", 10_000, 100, XGBOOST_PEERS),
    ("xgb_500x6", 10_000, 60, XGBOOST_PEERS),
    ("xgb_500x6", 100_000, 100, ("xgboost", "woodelf")),
    ("xgb_1000x8", 10_000, 30, XGBOOST_PEERS),
    ("xgb_20x10", 10_000, 25, XGBOOST_PEERS),
    ("xgb_100x16", 2_000, 10, ("xgboost", "shap", "fasttreeshap")),
    ("cat_500x6", 10_000, 20, ("catboost",)),
    ("lgb_500x6", 10_000, None, ("lightgbm", "shap", "woodelf")),
    *(
        (name, rows, 2, FEW_ROW_PEERS)
        for name in ("xgb_100x3", "xgb_500x6", "xgb_1000x8", "xgb_20x10", "xgb_100x16")
        for rows in (1, 10)
    ),
    ("xgb_500x6", 1_000, 30, BACKGROUND_PEERS, 100),
    ("xgb_500x6", 10_000, 10, ("woodelf",), 10_000),
    ("xgb_1000x8", 10_000, 10, BACKGROUND_PEERS[::-1], 1_000),
    ("xgb_500x6", 1_000, 20, ("xgboost",), "interactions"),
    ("xgb_100x3", 10_000, 20, ("xgboost", "woodelf"), "interactions"),
    ("xgb_logit_500x6", 100, 20, ("brute_force",), 100),
    ("forest_100", 100, 30, ("fasttreeshap", "shap")),
]

# What is left out or stands with a reservation, and why; printed and recorded.
LEFT_OUT = [
    "shap on the CatBoost model: its C code refuses it (leaves without cover), its default path is CatBoost's own",
    "woodelf on the CatBoost model: it returns NaN there (leaves without cover)",
    "fasttreeshap's exactness on rows with missing values: its algorithm v2, which it chooses for many rows, "
    "ignores the learned direction (its v1 follows it); its difference on complete rows stands beside",
    "woodelf on 100 x depth 16: its tables grow with the depth, no end within five minutes for ten rows",
]

# Times that one thread and two alternate: at least, at most, and the seconds after which the least is enough.
PAIRS = (3, 9)
PAIRS_SECONDS = 60

# A cost per model rather than per row: fewer rows would say nothing, so these explain all of them or none.
WHOLE = {"woodelf"}


# Seconds of a call of whylight from which on one repeat says enough.
LONG = 2.0


def case_name(model, rows, background=None):
    return f"{model}@{rows}" if background is None else f"{model}@{rows}/{background}"


def fit_rows(peer, rows, cap, patience):
    """The number of rows that the peer explains in about `cap` seconds, found by growing, and those seconds."""
    if peer.name in WHOLE:
        return rows, peer.explain(rows, 1, patience, keep_values=True)[0]
    count = min(rows, 10)
    seconds = peer.explain(count, 1, patience, keep_values=True)[0]
    if seconds < 0.5:
        # The first call also pays for what a library sets up once.
        seconds = peer.explain(count, 1, patience, keep_values=True)[0]
    while count < rows:
        grown = min(rows, int(count * cap / max(seconds, 1e-6)))
        if grown < 1.3 * count:
            break
        # Never far beyond what was seen, since few rows tell little about many.
        count = min(grown, 100 * count)
        seconds = peer.explain(count, 1, patience, keep_values=True)[0]
    return count, seconds


def data_slice(features, rows, last=False):
    """The first rows of the benchmark's table, or the last, as a file of their own."""
    path = TARGET / "slices" / f"{'background' if last else 'rows'}_{features}_{rows}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        table = np.load(models.MODELS / models.rows_file(features))
        if rows > len(table):
            raise SystemExit(f"bench-peers: {path.name} asks {rows} rows, the table has {len(table)}")
        np.save(path, table[-rows:] if last else table[:rows])
    return path


def relative_difference(values, reference, keep):
    """The largest |difference| of a cell over its row's largest |reference value|."""
    values, reference = values[keep].astype(np.float64), reference[keep].astype(np.float64)
    if not len(reference):
        return None
    scale = np.abs(reference).max(axis=1)
    return float((np.abs(values - reference).max(axis=1) / np.where(scale > 0, scale, 1.0)).max())


def spread(seconds):
    """Noise as a part of the median: the range of a few repeats, the middle half of many."""
    ordered = sorted(seconds)
    if len(ordered) >= 8:
        ordered = ordered[len(ordered) // 4 : -(len(ordered) // 4)]
    return (ordered[-1] - ordered[0]) / statistics.median(seconds)


def measure(case, whylight, rounds, cap, patience, skipped):
    """One row of the issue's table: every peer of the case, alternating with whylight."""
    name, rows, asked, peer_names, *against = case
    background_rows = against[0] if against else None
    features = models.SPECS[name][3]
    model = models.MODELS / models.model_file(name)
    data = data_slice(features, rows)
    background = background_rows
    if isinstance(background_rows, int):
        background = data_slice(features, background_rows, last=True)
    missing = np.isnan(np.load(data)).any(axis=1)
    result = {
        "case": case_name(name, rows, background_rows),
        "model": name,
        "rows": rows,
        "background": background_rows,
        "asked": asked,
        "peers": [],
    }
    ours = {1: [], 2: []}
    # Seconds of calls through Python.
    python = []

    def through_python():
        if whylight and "whylight_failure" not in result:
            try:
                repeats = max(1, min(21, int(1.0 / max(python[-1] if python else 1.0, 1e-6))))
                python.extend(client.explain(rows, repeats, patience))
            except PeerFailure as failure:
                result["whylight_failure"] = str(failure)

    def few_repeats():
        return 1 if python and python[-1] > LONG else None

    def bench(threads):
        if whylight:
            try:
                ours[threads].append(whylight_bench(whylight, model, data, rows, threads, background, few_repeats()))
            except WhylightFailure as failure:
                result["whylight_failure"] = str(failure)

    ours_values = None
    if whylight:
        try:
            ours_values = whylight_values(whylight, model, data, TARGET / "values.npy", background)
        except WhylightFailure as failure:
            result["whylight_failure"] = str(failure)

    client = None
    if whylight:
        try:
            client = Peer("whylight", model, data, TARGET, background)
            python.extend(client.explain(rows, 1, patience))
            python.extend(client.explain(rows, 1, patience))
            # The first call pays for what is set up once.
            del python[0]
        except PeerFailure as failure:
            result["whylight_failure"] = str(failure)
    for index, peer_name in enumerate(peer_names):
        if peer_name in skipped:
            continue
        entry = {"peer": peer_name, "version": None}
        result["peers"].append(entry)
        # The peer that a ratio is asked of gets the whole time; the others half.
        own_cap = cap if index == 0 else cap / 2
        try:
            with Peer(peer_name, model, data, TARGET, background) as peer:
                entry.update(version=peer.version, load_seconds=peer.load_seconds)
                count, once = fit_rows(peer, rows, own_cap, patience)
                repeats = max(1, min(21, int(1.0 / max(once, 1e-6))))
                seconds, start = [], len(python)
                if once > 2 * cap:
                    # One call, already seen, is what there is time for.
                    seconds.append(once)
                    through_python()
                    bench(1)
                for _ in range(0 if seconds else rounds):
                    seconds += peer.explain(count, repeats, patience)
                    through_python()
                    bench(1)
                values = peer.values()
                entry.update(
                    rows_run=count,
                    seconds=seconds,
                    rows_per_second=count / statistics.median(seconds),
                    best_rows_per_second=count / min(seconds),
                    spread=spread(seconds),
                    fewer_rows=count < rows,
                    peak_rss_bytes=peer.peak_rss_bytes,
                )
        except PeerFailure as failure:
            entry["failure"] = str(failure)
            print(f"  {peer_name}: {failure}", flush=True)
            continue
        same_minutes = python[start:]
        if same_minutes:
            rates = [rows / seconds for seconds in same_minutes]
            entry["ratio"] = statistics.median(rates) / entry["rows_per_second"]
            entry["ratio_of_best"] = max(rates) / entry["best_rows_per_second"]
        if ours_values is not None:
            mine, gaps = ours_values[:count], missing[:count]
            if mine.shape != values.shape:
                entry["failure"] = f"values have the shape {values.shape}, whylight's {mine.shape}"
                continue
            if not np.isfinite(values).all():
                entry["failure"] = "values that are not finite"
                continue
            everything = np.ones(count, dtype=bool)
            entry["max_relative_difference"] = relative_difference(mine, values, everything)
            entry["max_relative_difference_complete_rows"] = relative_difference(mine, values, ~gaps)

    if client:
        client.close()

    # One thread and two threads alternate as well: their ratio is asked for, as the median of pairs. Beside it
    # stands what the machine itself gives: two processes of one thread at once, against one.
    pairs, ceilings = [], []
    if rows > 10 and whylight:
        begun = time.monotonic()
        least, most = PAIRS if rounds > 1 else (1, 1)
        while len(pairs) < least or len(pairs) < most and time.monotonic() - begun < PAIRS_SECONDS:
            before = len(ours[1]), len(ours[2])
            bench(1)
            bench(2)
            if "whylight_failure" in result:
                break
            pairs += zip(ours[1][before[0] :], ours[2][before[1] :])
            if len(affinity()) > 1:
                both = whylight_twice(whylight, model, data, rows, background, few_repeats())
                alone = pairs[-1][0]["rows_per_second_end_to_end"]
                ceilings.append(sum(run["rows_per_second_end_to_end"] for run in both) / alone)
    result["whylight"] = {str(threads): runs for threads, runs in ours.items()}
    if ours[1]:
        rates = [run["rows_per_second_end_to_end"] for run in ours[1]]
        result["rows_per_second"] = statistics.median(rates)
        result["rows_per_second_resident"] = statistics.median(run["rows_per_second_resident"] for run in ours[1])
        result["spread"] = spread([1 / rate for rate in rates])
    if python:
        result["rows_per_second_python"] = rows / statistics.median(python)
    if pairs:
        end_to_end = "rows_per_second_end_to_end"
        result["two_threads"] = statistics.median(two[end_to_end] / one[end_to_end] for one, two in pairs)
    if ceilings:
        result["two_processes"] = statistics.median(ceilings)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="CASE", help="cases to run, such as xgb_500x6@10000 or 'xgb_*@1'")
    parser.add_argument("--quick", action="store_true", help="one round, short times: a look, not a record")
    parser.add_argument("--rounds", type=int, default=None, help="times that whylight and a peer alternate (3)")
    parser.add_argument("--cap", type=float, default=None, help="seconds for one call of a peer (15)")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    cap = arguments.cap or (2.0 if arguments.quick else 15.0)
    patience = 60.0 if arguments.quick else 300.0

    cases = [
        case
        for case in CASES
        if not arguments.only or any(fnmatch.fnmatch(case_name(*case[:2], *case[4:]), only) for only in arguments.only)
    ]
    if arguments.list or not cases:
        print("\n".join(case_name(*case[:2], *case[4:]) for case in CASES))
        return 0 if cases else 2

    whylight = ROOT / "target" / "release" / "whylight"
    version = None
    if whylight.exists():
        found = subprocess.run([str(whylight), "--version"], capture_output=True, text=True, check=False)
        version = found.stdout.strip().removeprefix("whylight ") or None
    else:
        print(f"bench-peers: {whylight.relative_to(ROOT)} is not built: the peers alone are measured")
        whylight = None

    left_out = list(LEFT_OUT)
    skipped = set()
    reason = TARGET / "fasttreeshap-skipped.txt"
    if reason.exists():
        skipped.add("fasttreeshap")
        left_out.append(f"fasttreeshap: {reason.read_text().strip()}")
    for line in left_out:
        print(f"bench-peers: note: {line}")

    used = {case[0] for case in cases}
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "whylight_version": version,
        "machine": machine(),
        "settings": {"rounds": rounds, "cap_seconds": cap, "patience_seconds": patience},
        "load_before": os.getloadavg()[0],
        "models": {name: entry for name, entry in json.loads((models.MODELS / "models.json").read_text()).items() if name in used},
        "left_out": left_out,
        "cases": [],
    }
    for case in cases:
        print(case_name(*case[:2], *case[4:]), flush=True)
        result = measure(case, whylight, rounds, cap, patience, skipped)
        record["cases"].append(result)
        summary(result)
    record["load_after"] = os.getloadavg()[0]

    slug = re.sub(r"[^a-z0-9]+", "-", record["machine"]["cpu"].lower()).strip("-")
    whole = not (arguments.only or arguments.quick) and whylight
    stem = ROOT / "benches" / "record" / f"{record['date']}-{slug}" if whole else TARGET / "partial"
    stem.parent.mkdir(parents=True, exist_ok=True)
    text = markdown(record)
    stem.with_name(stem.name + ".json").write_text(json.dumps(record, indent=1, allow_nan=False, default=str) + "\n")
    stem.with_name(stem.name + ".md").write_text(text)
    print()
    print(text)
    print(f"written: {stem.relative_to(ROOT)}.json and .md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
