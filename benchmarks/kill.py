"""Does a killed command leave its files old or new, whole, and nothing beside them?

    python benchmarks/kill.py [N [SEED]]

N times the command is run on a table of 60 rows, to replace three files, and is killed
(SIGKILL) at a random moment: every fourth time at any, else after it has begun to write
the first of them. Then each file must have its old bytes or those that an
undisturbed run writes, and after the next start, one that refuses to replace a file,
nothing else may be there. The exit status is 1 if a trial fails.

Each run is the fork of a process that has imported the libraries, which takes longer
than all the rest and writes nothing.
"""

import importlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from skvae._cli.start import main as run_command

FILES = {"--output": "sampled.csv", "--impute": "full.csv", "--model": "model.pkl"}
OLD = b"old"
N_SAMPLED = 5_000  # rows take a while to write
LAST_FIT = b"fitting skvae on all"


def main():
    n, seed = [int(word) for word in sys.argv[1:]] + [20, 0][len(sys.argv) - 1 :]
    random.seed(seed)
    importlib.import_module("skvae._cli.main")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_table("table.csv")
        seconds, writing, new = run_undisturbed()
        print(
            f"undisturbed: {seconds:.1f} s, of which writing {writing:.1f} s",
            flush=True,
        )
        outcomes = Counter(try_once(i, seconds, writing, new) for i in range(n))
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:5} of {n}: {outcome}")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes))


def write_table(path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1)) + rng.normal(size=(60, 4))
    X[rng.random(X.shape) < 0.1] = np.nan
    pd.DataFrame(X, columns=list("abcd")).round(2).to_csv(path, index=False)


def run_undisturbed():
    """Return the seconds of a run, those after it begins to write, and its files."""
    runs = []
    for _ in range(2):
        make_old()
        started = time.monotonic()
        process, stderr = start()
        wait_for_part(stderr)
        writing = time.monotonic()
        assert wait(process, stderr) == 0
        ended = time.monotonic()
        runs.append((ended - started, ended - writing, read_files()))
    assert runs[0][2] == runs[1][2], "two runs write different files"
    return runs[1]


def try_once(i, seconds, writing, new):
    """Return in words what a killed run left behind."""
    make_old()
    process, stderr = start()
    if i % 4:
        wait_for_part(stderr)
        seconds = writing
    time.sleep(random.uniform(0, seconds))
    os.kill(process, signal.SIGKILL)
    wait(process, stderr)
    left, found = set(os.listdir()), read_files()
    kinds = {
        "old" if found[name] == OLD else "new" if found[name] == new[name] else "torn"
        for name in found
    }
    wait(*start(force=False))
    after = set(os.listdir())
    if "torn" in kinds or len(found) < len(FILES):
        return f"FAILED: of {sorted(found)} some are {' and some '.join(kinds)}"
    if after != {"table.csv", *FILES.values()}:
        return f"FAILED: the next start left {sorted(after)}"
    part = ", and a part that the next start removed" if left != after else ""
    return f"{' and '.join(sorted(kinds, reverse=True))} files{part}"


def start(force=True):
    """Return the id of a new process that runs the command, and its stderr."""
    argv = ["table.csv", "--sample", str(N_SAMPLED), *["--force"] * force]
    for option, name in FILES.items():
        argv += [option, name]
    reader, writer = os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writer, 2)
        os._exit(run_command(argv))
    os.close(writer)
    return process, open(reader, "rb", buffering=0)


def wait(process, stderr):
    """Wait for the end of a process and return its exit status."""
    stderr.read()
    stderr.close()
    return os.waitpid(process, 0)[1]


def wait_for_part(stderr):
    """Wait until a process writes; what it tries at its start is not waited for."""
    next(line for line in stderr if LAST_FIT in line)
    while all(Path(name).read_bytes() == OLD for name in FILES.values()):
        if any(name.startswith(".skvae") for name in os.listdir()):
            return
        time.sleep(0.001)


def make_old():
    for name in FILES.values():
        Path(name).write_bytes(OLD)


def read_files():
    files = [Path(name) for name in FILES.values()]
    return {file.name: file.read_bytes() for file in files if file.exists()}


if __name__ == "__main__":
    sys.exit(main())
