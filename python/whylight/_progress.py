"""The progress of long work: a bar on a terminal or in a notebook, silence elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time

#: Work that ends before shows nothing.
SECONDS = 1.0


def is_shown(show=None) -> bool:
    """Whether progress is shown: `show` is True or False, or None to find out."""
    if show is None:
        return sys.stderr is not None and sys.stderr.isatty() or "ipykernel" in sys.modules
    return bool(show)


@contextlib.contextmanager
def bar(rows, show=None):
    """A function that is told the rows done, or None where nobody watches.

    `show` is True or False, or None to find out.
    """
    if not is_shown(show):
        yield None
        return
    start, line = time.monotonic(), False

    def told(done):
        nonlocal line
        seconds = time.monotonic() - start
        if seconds < SECONDS:
            return
        line = True
        rate = done / seconds
        left = (rows - done) / rate
        print(
            f"\rwhylight: {done:,} of {rows:,} rows, {rate:,.0f} rows/s, {left:.0f} s left   ", end="", file=sys.stderr
        )

    try:
        yield told
    finally:
        if line:
            print(file=sys.stderr)
