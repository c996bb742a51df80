"""Does a killed command leave its files old or new, whole, and nothing beside them?

Run ``python benchmarks/kill.py [N [SEED]]``. N times the whole command is started on a
table of 60 rows, to replace four files, and is killed (SIGKILL) at a random moment:
every fourth time at any, else between the last fit and the end, when files are written. Then
each file must have its old bytes or those that an undisturbed run writes, and after the
next start, which is one that refuses to replace a file, nothing else may be there. The
exit status is 1 if a trial fails.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

FILES = {
    "--output": "sampled.csv",
    "--impute": "full.csv",
    "--model": "model.pkl",
    "--plot": "picture.png",
}
OLD = b"old"
N_SAMPLED = 20_000  # rows take a while to write
LAST_FIT = b"fitting skvae on all"


def main():
    n, seed = [int(word) for word in sys.argv[1:]] + [20, 0][len(sys.argv) - 1 :]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "table.csv")
        seconds, writing, new = run_undisturbed(folder)
        print(f"undisturbed: {seconds:.1f} s, of which writing {writing:.1f} s")
        random.seed(seed)
        outcomes = Counter(try_once(folder, i, seconds, writing, new) for i in range(n))
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:5} of {n}: {outcome}")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes))


def write_table(path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1)) + rng.normal(size=(60, 4))
    X[rng.random(X.shape) < 0.1] = np.nan
    pd.DataFrame(X, columns=list("abcd")).round(2).to_csv(path, index=False)


def run_undisturbed(folder):
    """Return the seconds of a run, those after its last fit begins, and its files."""
    runs = []
    for _ in range(2):  # the first may have to compile
        make_old(folder)
        started = time.monotonic()
        process = start(folder)
        wait_for_last_fit(process)
        last_fit = time.monotonic()
        assert process.wait() == 0
        seconds = time.monotonic() - started
        runs.append((seconds, started + seconds - last_fit, read(folder)))
    assert runs[0][2] == runs[1][2], "two runs write different files"
    return runs[1]


def try_once(folder, i, seconds, writing, new):
    """Return in words what a killed run left behind."""
    make_old(folder)
    process = start(folder)
    if i % 4:
        wait_for_last_fit(process)
        seconds = writing
    time.sleep(random.uniform(0, seconds))
    process.kill()
    process.wait()
    process.stderr.close()
    left, found = names(folder), read(folder)
    kinds = {
        "old" if found[f] == OLD else "new" if found[f] == new[f] else "torn"
        for f in found
    }
    start(folder, force=False).communicate()
    after = names(folder)
    if "torn" in kinds or len(found) < len(FILES):
        return f"FAILED: {found.keys()} are {kinds}"
    if after != {"table.csv", *FILES.values()}:
        return f"FAILED: the next start left {sorted(after)}"
    part = ", a part was left and removed" if left != after else ""
    return f"files {' and '.join(sorted(kinds, reverse=True))}{part}"


def start(folder, force=True):
    command = [sys.executable, "-m", "skvae", "table.csv", "--sample", str(N_SAMPLED)]
    for option, name in FILES.items():
        command += [option, name]
    return subprocess.Popen(
        command + ["--force"] * force,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for_last_fit(process):
    for line in process.stderr:
        if LAST_FIT in line:
            return
    raise RuntimeError("the command ended too soon")


def make_old(folder):
    for name in FILES.values():
        (folder / name).write_bytes(OLD)


def read(folder):
    files = [folder / name for name in FILES.values()]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def names(folder):
    return {path.name for path in folder.iterdir()}


if __name__ == "__main__":
    sys.exit(main())
