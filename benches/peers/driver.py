"""Processes of the peer benchmark: a peer in its environment, and the whylight command."""

import concurrent.futures
import json
import os
import selectors
import subprocess

import numpy as np

ENVIRONMENTS = {"fasttreeshap": "env-fasttreeshap"}
ONE_THREAD = {
    variable: "1"
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}


class PeerFailure(Exception):
    """A peer ended, ran past its time, or refused the model."""


class WhylightFailure(Exception):
    """The whylight command failed; holds its message."""


def affinity():
    """The cores that this process may use, in order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pinned(threads, before=0):
    """Pins a child to the last `threads` cores before the last `before`: the first one serves the rest of the machine."""
    cores = affinity()
    cores = cores[: len(cores) - before][-threads:]

    def pin():
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)

    return pin


def optional(value, *before):
    """An argument, if there is one."""
    return [] if value is None else [*before, str(value)]


def against(background, model):
    """The command's options for a background, or for interactions in place of one."""
    if background == "interactions":
        return ["--interactions"]
    # Of a classifier, the probability.
    output = ["--output", "probability"] if "logit" in model.name else []
    return optional(background, "--background") + output


class Peer:
    """A running `peer.py`, spoken to in JSON lines."""

    def __init__(self, name, model, data, target, background=None, load_timeout=300):
        self.name = name
        self.target = target
        self.peak_rss_bytes = None
        self.values_path().unlink(missing_ok=True)
        here = os.path.dirname(os.path.abspath(__file__))
        python = target / ENVIRONMENTS.get(name, "env") / "bin" / "python"
        self.log = open(target / f"{name}.log", "w")
        self.process = subprocess.Popen(
            [str(python), os.path.join(here, "peer.py"), name, str(model), str(data), *optional(background)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **ONE_THREAD},
            preexec_fn=pinned(1),
        )
        try:
            hello = self.answer(load_timeout)
        except PeerFailure:
            self.close()
            raise
        self.version = hello["version"]
        self.load_seconds = hello["load_seconds"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()

    def answer(self, timeout):
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        ready = selector.select(timeout)
        selector.close()
        if not ready:
            raise PeerFailure(f"not finished within {timeout:.0f} s")
        # One answer is one short line, written whole.
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            with open(self.log.name) as log:
                lines = log.read().strip().splitlines()
            raise PeerFailure(f"ended with {code}: {lines[-1][:300] if lines else 'no message'}")
        return json.loads(line)

    def request(self, rows, repeats, values, timeout):
        message = {"rows": rows, "repeats": repeats, "values": values}
        self.process.stdin.write((json.dumps(message) + "\n").encode())
        self.process.stdin.flush()
        answer = self.answer(timeout)
        self.peak_rss_bytes = answer["peak_rss_bytes"]
        return answer["seconds"]

    def explain(self, rows, repeats, timeout, keep_values=False):
        """The seconds of `repeats` timed calls on the first `rows` rows; `keep_values` keeps the last call's."""
        return self.request(rows, repeats, str(self.values_path()) if keep_values else None, timeout)

    def values_path(self):
        return self.target / f"{self.name}_values.npy"

    def values(self):
        """The values that `explain` kept."""
        return np.load(self.values_path())


def command(arguments, threads, timeout, before=0):
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=timeout, check=False, preexec_fn=pinned(threads, before)
        )
    except subprocess.TimeoutExpired:
        raise WhylightFailure(f"not finished within {timeout} s") from None
    if done.returncode != 0:
        raise WhylightFailure((done.stderr or done.stdout).strip()[-300:] or f"ended with {done.returncode}")
    return done.stdout


def whylight_bench(binary, model, data, rows, threads, background=None, repeats=None, timeout=900, before=0):
    """One `whylight bench` on the last cores before the last `before`: its JSON object."""
    output = command(
        [str(binary), "bench", "--model", str(model), "--data", str(data), "--rows", str(rows)]
        + ["--threads", str(threads), "--device", "cpu", "--json"]
        + against(background, model)
        + optional(repeats, "--repeats"),
        threads,
        timeout,
        before,
    )
    result = json.loads(output)
    if result["rows"] != rows:
        raise WhylightFailure(f"bench explained {result['rows']} rows, asked {rows}")
    return result


def whylight_twice(binary, model, data, rows, background=None, repeats=None):
    """Two processes of one thread each, on a core each, at once: their JSON objects."""
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        run = lambda before: whylight_bench(binary, model, data, rows, 1, background, repeats, before=before)
        return list(both.map(run, (0, 1)))


def whylight_values(binary, model, data, out, background=None, timeout=900):
    """whylight's values of a table, as (rows, features)."""
    out.unlink(missing_ok=True)
    arguments = [str(binary), "explain", "--model", str(model), "--data", str(data), "--out", str(out)]
    command(arguments + ["--device", "cpu", *against(background, model)], len(affinity()), timeout)
    values = np.load(out)
    return values.reshape(len(values), -1)
