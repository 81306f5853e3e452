"""The memory that a long table takes: `whylight explain` from Parquet to Parquet under a fixed limit.

    python memory.py MODEL [--rows N] [--limit SIZE] [--threads T] [--folder DIR]

MODEL has 28 float features, such as target/peers/models/xgb_20x10.json of `make bench-peers`. Needs numpy and pyarrow.
Explains a thousandth, a tenth and all of the rows, each in a process of its own, and writes what the system says of
each to benches/record/memory-<date>.md: where the limit holds, the peak does not grow with the rows.
"""

import argparse
import datetime
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow
import pyarrow.parquet

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))
from table import machine  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
COLUMNS = 28
GROUP = 1 << 20


def write(path, rows):
    """Standard normal float32 cells, in row groups of about a million rows."""
    generator = np.random.default_rng(0)
    schema = pyarrow.schema([(f"f{i}", pyarrow.float32()) for i in range(COLUMNS)])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="snappy", use_dictionary=False) as writer:
        for start in range(0, rows, GROUP):
            cells = generator.standard_normal((COLUMNS, min(GROUP, rows - start)), dtype=np.float32)
            writer.write_table(pyarrow.table([pyarrow.array(column) for column in cells], schema=schema))


def run(arguments):
    """Seconds, CPU seconds and peak resident bytes of a command."""
    start = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    # Of the process itself: what wait4 calls the peak counts this script's own memory before the command begins.
    status, peak = pathlib.Path(f"/proc/{process.pid}/status"), 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        peak = max(peak, int(found.group(1)) * 1024 if found else 0)
        time.sleep(0.02)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode != 0:
        raise SystemExit(f"memory: {' '.join(map(str, arguments))} ended with {process.returncode}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--limit", default="64MiB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", default=None, help="where the tables go for the time being")
    arguments = parser.parse_args()
    whylight = ROOT / "target" / "release" / "whylight"
    host = machine()
    lines = [
        f"# Memory of a long table, {datetime.date.today().isoformat()}",
        "",
        f"`whylight explain --memory-limit {arguments.limit} --threads {arguments.threads} --device cpu`, Parquet to "
        f"Parquet, {COLUMNS} float32 features in row groups of {GROUP:,}, model {arguments.model.name}. "
        f"{host['cpu']}, {host['cores']} cores, {host['os']}.",
        "",
        "| rows | input MB | output MB | seconds | CPU seconds | peak RSS MB |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        table, values = pathlib.Path(folder) / "rows.parquet", pathlib.Path(folder) / "values.parquet"
        for rows in (arguments.rows // 1000, arguments.rows // 10, arguments.rows):
            write(table, rows)
            command = [whylight, "explain", "--model", arguments.model, "--data", table, "--out", values]
            command += ["--memory-limit", arguments.limit, "--threads", str(arguments.threads), "--device", "cpu"]
            seconds, cpu, peak = run(command)
            sizes = [path.stat().st_size / 1e6 for path in (table, values)]
            lines.append(f"| {rows:,} | {sizes[0]:,.0f} | {sizes[1]:,.0f} | {seconds:.1f} | {cpu:.1f} | {peak / 1e6:.0f} |")
            print(lines[-1], flush=True)
    record = ROOT / "benches" / "record" / f"memory-{datetime.date.today().isoformat()}.md"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("\n".join(lines) + "\n")
    print(f"written: {record.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
