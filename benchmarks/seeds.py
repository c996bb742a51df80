"""How much does the random_state matter: R2 and nats of one split under ten seeds.

``python benchmarks/seeds.py`` prints, for every table of more than 1,000 rows, the
standard deviation and the range over seeds of held-out figures at the defaults.
"""

import argparse

import joblib
import numpy as np
import pandas as pd
import torch
from quality import Split, effective_ks
from tables import HALVES, NAMES, load
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

MAX_ROWS = 3_000
LEAST_ROWS = 1_000
SEEDS = range(10)
BAR = 0.01


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=lambda text: text.split(","), default=NAMES)
    args = parser.parse_args()
    jobs = [joblib.delayed(run)(name) for name in args.tables]
    found = joblib.Parallel(joblib.cpu_count(), batch_size=1)(jobs)
    runs = pd.DataFrame([row for rows in found for row in rows])
    spread = runs.groupby(["half", "table", "k"], sort=False)[["R2", "nats"]]
    spread = spread.agg(["std", np.ptp]).round(4)
    print(f"Spread over {len(SEEDS)} seeds, one split\n\n{spread.to_string()}")
    for half in HALVES:
        if half in spread.index:
            its = spread.loc[half, ("R2", "std")]
            share = (its <= BAR).mean()
            print(
                f"\n{half}: standard deviation of R2, median {its.median():.4f}, worst "
                f"{its.max():.4f}; at most {BAR} on {share:.0%} (wanted: all)"
            )


def run(name):
    torch.set_num_threads(1)
    table = load(name, MAX_ROWS)
    if len(table.X) <= LEAST_ROWS:
        return []
    split, rows = Split.of(table, seed=0, drop_constant=False), []
    with threadpool_limits(1):
        for k in effective_ks([2, 8], table.X.shape[1]).values():
            for seed in SEEDS:
                vae = VAETransformer(k, random_state=seed).fit(split.X_train)
                back = vae.inverse_transform(vae.transform(split.X_test))
                residual = np.square(split.X_test - back).sum()
                row = {"table": name, "half": table.half, "k": k}
                row["R2"] = 1 - residual / np.square(split.X_test).sum()
                row["nats"] = vae.score(split.X_test)
                rows.append(row)
    return rows


if __name__ == "__main__":
    main()
