"""What the peer benchmark writes: the machine, the tables, the lines on the terminal."""

import json
import pathlib
import platform
import re
import statistics
import sys

from driver import affinity

ASKED_OF_TWO_THREADS = 1.8


def machine():
    cpu = platform.processor() or platform.machine()
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = found.group(1).strip() if found else cpu
    except OSError:
        pass
    system = platform.system()
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        pass
    flags = ""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        pass
    simd = [flag for flag in ("avx2", "avx512f", "asimd") if re.search(rf"\b{flag}\b", flags)]
    return {
        "cpu": cpu,
        "simd": simd,
        "cores": len(affinity()),
        "os": system,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def rows(result):
    """The rows of a case, and those of its background."""
    background = result.get("background")
    if background == "interactions":
        return f"{result['rows']:,}, interactions"
    return f"{result['rows']:,}" + (f" against {background:,}" if background else "")


def number(value, digits=0):
    if value is None:
        return "–"
    if value < 100 and digits == 0:
        digits = 1
    return f"{value:,.{digits}f}"


def ratio(value):
    return "–" if value is None else f"{number(value)}×"


def asked_and_got(result, index, entry):
    """What the table asks of this peer beside what was measured."""
    if index > 0 or result["asked"] is None:
        return ""
    return f"asked {result['asked']}×, got {ratio(entry.get('ratio'))}"


def difference(entry):
    if entry.get("max_relative_difference") is None:
        return entry.get("failure", "–")
    text = f"{entry['max_relative_difference']:.1e}"
    complete = entry.get("max_relative_difference_complete_rows")
    if complete is not None and entry["max_relative_difference"] > 1e-3 > complete:
        text += f" ({complete:.1e} on rows without missing values)"
    return text


def markdown(record):
    lines = [
        f"# whylight {record['whylight_version'] or '(not built)'} and its peers, {record['date']}",
        "",
        f"{record['machine']['cpu']}, {record['machine']['cores']} cores, "
        f"{', '.join(record['machine']['simd']) or 'no SIMD flag read'}, {record['machine']['os']} "
        f"(kernel {record['machine']['kernel']}), Python {record['machine']['python']}. "
        f"Load average {record['load_before']:.1f} before, {record['load_after']:.1f} after.",
        "",
        "One thread on one core, from the table in memory to values in memory, medians; whylight and each peer alternate, "
        "all through Python. "
        "`*`: the peer explained only the rows given, its rate is taken for all. "
        "Noise: slowest minus fastest repeat (of eight or more: of their middle half), over the median (peer / whylight). "
        "Difference: the largest |Δφ| over its row's largest |φ|. "
        "Two threads: against one, the median of pairs; two processes of one thread at once, against one, are what the "
        "machine itself gives.",
        "",
        "| model | rows | peer | rows run | peer rows/s | whylight rows/s | ratio | ratio of best | asked | difference | noise |",
        "|---|--:|---|--:|--:|--:|--:|--:|---|---|---|",
    ]
    for result in record["cases"]:
        for index, entry in enumerate(result["peers"]):
            if "rows_per_second" not in entry:
                cells = ["–"] * 5 + [entry["failure"].replace("|", "/"), "–", "–"]
                lines.append(f"| {result['model']} | {rows(result)} | {entry['peer']} | " + " | ".join(cells) + " |")
                continue
            mark = "*" if entry["fewer_rows"] else ""
            noise = f"{entry['spread']:.0%} / " + (f"{result['spread']:.0%}" if "spread" in result else "–")
            lines.append(
                f"| {result['model']} | {rows(result)} | {entry['peer']} {entry['version']} | {entry['rows_run']:,} "
                f"| {number(entry['rows_per_second'])}{mark} | {number(result.get('rows_per_second_python'))} "
                f"| {ratio(entry.get('ratio'))} | {ratio(entry.get('ratio_of_best'))} "
                f"| {asked_and_got(result, index, entry)} | {difference(entry)} | {noise} |"
            )
    lines += ["", "whylight alone, through Python and by the command:", ""]
    lines += [
        "| model | rows | Python rows/s | end to end rows/s | resident rows/s | two threads | asked | two processes | build s | peak RSS MB | engines |",
        "|---|--:|--:|--:|--:|--:|---|--:|--:|--:|---|",
    ]
    for result in record["cases"]:
        runs = result["whylight"]["1"]
        if not runs:
            reason = result.get("whylight_failure", "not run").replace("|", "/").replace("\n", " ")
            lines.append(f"| {result['model']} | {rows(result)} | {reason} | – | – | – | | – | – | – | – |")
            continue
        asked = f"{ASKED_OF_TWO_THREADS}×" if result["rows"] > 10 else ""
        lines.append(
            f"| {result['model']} | {rows(result)} | {number(result.get('rows_per_second_python'))} "
            f"| {number(result['rows_per_second'])} "
            f"| {number(result['rows_per_second_resident'])} "
            f"| {times(result, 'two_threads')} | {asked} | {times(result, 'two_processes')} "
            f"| {statistics.median(run['build_seconds'] for run in runs):.3f} "
            f"| {max(run['peak_rss_bytes'] for run in runs) / 1e6:,.0f} | {json.dumps(runs[-1]['engines'])} |"
        )
    lines += ["", "Models (full depth, seeds fixed, `benches/peers/models.py`):", ""]
    for name, entry in record["models"].items():
        lines.append(
            f"- {name}: {entry['library']} {entry['version']}, {entry['trees']:,} trees, {entry['leaves']:,} leaves, "
            f"depth {entry['shallowest']} to {entry['deepest']}, {entry['features']} features"
        )
    lines += ["", "Left out, or with a reservation:", ""] + [f"- {line}" for line in record["left_out"]]
    return "\n".join(lines) + "\n"


def times(result, key):
    return f"{result[key]:.2f}×" if key in result else "–"


def summary(result):
    for index, entry in enumerate(result["peers"]):
        if "rows_per_second" in entry:
            mark = f"* ({entry['rows_run']:,} rows run)" if entry["fewer_rows"] else ""
            print(
                f"  {entry['peer']} {entry['version']}: {number(entry['rows_per_second'])} rows/s{mark}, "
                f"ratio {ratio(entry.get('ratio'))} {asked_and_got(result, index, entry)} "
                f"difference {difference(entry)}"
            )
    if "rows_per_second" in result:
        two = f", two threads {times(result, 'two_threads')}" if "two_threads" in result else ""
        two += f" (two processes {times(result, 'two_processes')})" if "two_processes" in result else ""
        python = f"{number(result.get('rows_per_second_python'))} rows/s through Python, "
        print(f"  whylight: {python}{number(result['rows_per_second'])} end to end in the engine{two}")
    if "whylight_failure" in result:
        print(f"  whylight: {result['whylight_failure']}")
    sys.stdout.flush()
