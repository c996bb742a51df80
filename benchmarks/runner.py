"""The one runner: options, jobs in worker processes, records, the report and its file.

A script describes itself as a `Benchmark` and calls `main`. For every table, k, seed
and method its `measure` is called once, in a worker process on one thread, and returns
figures; `report` makes text of all of them. What fails is recorded and reported, what
is not installed is left out and named.
"""

import argparse
import ast
import contextlib
import importlib.metadata
import io
import json
import os
import platform
import random
import shlex
import statistics
import subprocess
import sys
import textwrap
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import joblib
import mixed_tables
import numpy as np
import pandas as pd
import rivals
import tables
import torch
from threadpoolctl import threadpool_limits

from skvae import VAETransformer

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
HALF_OF = tables.HALF_OF | mixed_tables.HALF_OF
WIDTH = 98
PROGRESS_SECONDS = 5
KEYS = ["table", "k", "seed", "method"]


@dataclass(frozen=True)
class Benchmark:
    """What a script measures and reports, and the options of a full run.

    Parameters
    ----------
    name : str
        Of the script, and of its file of results.
    doc : str
        The script's docstring; its first line is the question.
    about : str
        First paragraphs of the report: what is measured, and how.
    measure : callable
        Takes a `Job`; returns a dict of figures, or a list of some, or None where there
        is nothing to measure.
    report : callable
        Takes the records as a frame and the arguments; returns parts of the report.
    tables : tuple of str
    methods : tuple of str
    needs : dict
        The module that a method needs, of those that need one.
    k : tuple of int or None
        None where the tables' names tell, or nothing does.
    seeds : int or None
        How many: 0, 1, ... are used. None: only 0, without an option.
    rows : int or None
        Longer tables are cut to so many random rows.
    workers : int
        Jobs that run at the same time; 0 runs them in this process.
    threads : int
        Of each job; 0 leaves the number as it is.
    in_turns : bool
        Whether one job runs all methods, which take turns.
    fresh : bool
        Whether every job has a process of its own.
    more_tables : tuple of str or None
        Names that `measure` knows beside those of the tables; None: it knows any.
    add_options : callable
        Takes the parser.
    cases : callable
        Takes the arguments; returns dicts that tell further jobs apart.
    draw : callable or None
        Takes the records; returns a figure of matplotlib.
    """

    name: str
    doc: str
    about: str
    measure: Callable
    report: Callable
    tables: tuple[str, ...]
    methods: tuple[str, ...] = ("skvae",)
    needs: dict = field(default_factory=dict)
    k: tuple[int, ...] | None = (8,)
    seeds: int | None = 1
    rows: int | None = None
    workers: int = joblib.cpu_count()
    threads: int = 1
    in_turns: bool = False
    fresh: bool = False
    more_tables: tuple[str, ...] | None = ()
    add_options: Callable = lambda parser: None
    cases: Callable = lambda args: [{}]
    draw: Callable | None = None


@dataclass(frozen=True)
class Job:
    """What one call of `measure` measures."""

    table: str
    k: int
    seed: int
    method: str | None  # None where the methods take turns
    case: dict
    args: argparse.Namespace

    @property
    def keys(self):
        """What tells the job's records from those of other jobs."""
        keys = {"table": self.table, "half": HALF_OF.get(self.table), "k": self.k}
        return keys | {"seed": self.seed, "method": self.method} | self.case

    def n_components(self, n_columns):
        """Return k, or one less than the table has columns."""
        return min(self.k, most(n_columns))

    def repeats(self, n_columns):
        """Whether a k asked for before gives as many components on so few columns."""
        before = self.args.k[: list(self.args.k).index(self.k)]
        return self.n_components(n_columns) in [min(k, most(n_columns)) for k in before]

    def vae(self, n_columns, **options):
        """Return the estimator; `options` are the method's own."""
        options = {"n_components": self.k, **self.args.parameters, **options}
        options["n_components"] = min(options["n_components"], most(n_columns))
        return VAETransformer(random_state=self.seed, **options)


def most(n_columns):
    """Return the most components that make sense of so many columns."""
    return max(n_columns - 1, 1)


# The command line


def main(benchmark, argv=None):
    """Run a benchmark from its command line; print and return the report."""
    parser = argument_parser(benchmark)
    args = parser.parse_args(argv)
    if args.output is None and args == parser.parse_args([]):
        args.output = RESULTS / f"{benchmark.name}.txt"
    options = shlex.join(sys.argv[1:] if argv is None else argv)
    args.command = f"python benchmarks/{benchmark.name}.py {options}".strip()
    is_there = {m: find_spec(benchmark.needs.get(m, "sklearn")) for m in args.methods}
    args.left_out = [m for m in args.methods if not is_there[m]]
    args.methods = [m for m in args.methods if is_there[m]]
    runs = gather(benchmark, args)
    ran = {*runs["method"], *args.methods}
    args.methods = [m for m in benchmark.methods if m in ran]
    text = report(benchmark, runs, args)
    print(text)
    if args.output is not None:
        write_whole(args.output, text + "\n")
    if getattr(args, "figure", None) is not None:
        benchmark.draw(runs).savefig(args.figure, dpi=75)
    return text


def argument_parser(benchmark):
    parser = argparse.ArgumentParser(description=benchmark.doc.partition("\n")[0])
    more = benchmark.more_tables
    known = None if more is None else (*HALF_OF, *more)
    add = parser.add_argument
    add("--tables", type=names_of(known), default=benchmark.tables, help="a,b,c")
    add("--methods", type=names_of(benchmark.methods), default=benchmark.methods)
    parser.set_defaults(k=(None,), seeds=1, rows=None)
    if benchmark.k is not None:
        many = "+" if len(benchmark.k) > 1 else 1  # others report of one k
        add("--k", type=int, nargs=many, default=benchmark.k, help="components")
    if benchmark.seeds is not None:
        add("--seeds", type=int, default=benchmark.seeds, help="how many")
    if benchmark.rows is not None:
        add("--rows", type=int, default=benchmark.rows, help="of a table, at most")
    add("--parameters", type=parameter, nargs="+", default={}, action=Parameters)
    add("--workers", type=int, default=benchmark.workers, help="0: this process")
    add("--threads", type=int, default=benchmark.threads, help="0: as they are")
    add("--output", type=Path, help="file to write the report to")
    add("--save", type=Path, help="JSON file to write the records to")
    add("--load", type=Path, nargs="+", default=[], help="JSON files to report as well")
    if benchmark.draw is not None:
        add("--figure", type=Path, help="picture to draw")
    benchmark.add_options(parser)
    return parser


def names_of(known):
    """Return a type of options: names separated by commas, "" for none."""

    def names(text):
        found = tuple(text.split(",")) if text else ()
        unknown = [name for name in found if known is not None and name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}"
            )
        return found

    return names


def parameter(text):
    """Read NAME=VALUE."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


class Parameters(argparse.Action):
    """Pairs as a dict: parameters of VAETransformer in place of its defaults."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, dict(values))


# The jobs


def gather(benchmark, args):
    """Run the jobs; return the records, those that are loaded included.

    Of records of the same job the last that were loaded, or run, count.
    """
    files = [pd.DataFrame(json.loads(file.read_text())) for file in args.load]
    ran = pd.DataFrame(run_all(benchmark, jobs_of(benchmark, args), args))
    if args.save is not None:
        ran.to_json(args.save, orient="records", indent=0)
    frames = [frame for frame in [*files, ran] if len(frame)]
    if not frames:
        return pd.DataFrame(columns=[*KEYS, "half"])
    runs = pd.concat([f.assign(turn=i) for i, f in enumerate(frames)])
    keys = [*KEYS, *benchmark.cases(args)[0]]
    last = runs.groupby(keys, dropna=False)["turn"].transform("max")
    return runs[runs["turn"] == last].drop(columns="turn").reset_index(drop=True)


def jobs_of(benchmark, args):
    methods = [None] if benchmark.in_turns else args.methods
    of_each = args.tables, benchmark.cases(args), args.k, range(args.seeds), methods
    return [
        Job(table, k, seed, method, case, args)
        for table, case, k, seed, method in product(*of_each)
    ]


def run_all(benchmark, jobs, args):
    """Return the records of all jobs, in their order."""
    start, told, records = time.perf_counter(), 0.0, []
    for i, found in enumerate(results(benchmark, jobs, args.workers), 1):
        records += found
        seconds = time.perf_counter() - start
        if seconds > told + PROGRESS_SECONDS or i == len(jobs):
            told, progress = seconds, f"{seconds:5.0f} s, {i}/{len(jobs)} jobs"
            print(progress, file=sys.stderr, flush=True)
    return records


def results(benchmark, jobs, workers):
    """Yield what each job returns."""
    if workers and benchmark.fresh:
        options = {"max_tasks_per_child": 1, "mp_context": get_context("spawn")}
        with ProcessPoolExecutor(workers, **options) as pool:
            yield from pool.map(run, [benchmark.measure] * len(jobs), jobs)
    else:
        parallel = joblib.Parallel(max(workers, 1), return_as="generator", batch_size=1)
        yield from parallel(joblib.delayed(run)(benchmark.measure, job) for job in jobs)


def run(measure, job):
    """Return the records of a job: what it measures, or its error, and its warnings."""
    with alone(job), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = measure(job)
        except Exception as error:
            found = {"error": repr(error)}
    rows = found if isinstance(found, list) else [found] * (found is not None)
    records = [job.keys | row for row in rows]
    if records:
        records[0]["warnings"] = " ".join(w.category.__name__ for w in caught)
    return records


@contextlib.contextmanager
def alone(job):
    """Seed the global generators, limit threads, silence prints; then undo it all."""
    kept_by_numpy, kept_by_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    n_threads = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        if job.args.threads:
            stack.enter_context(threadpool_limits(job.args.threads))
            torch.set_num_threads(job.args.threads)
        torch.manual_seed(job.seed)
        np.random.seed(job.seed)  # noqa: NPY002
        random.seed(job.seed)
        try:
            yield
        finally:
            np.random.set_state(kept_by_numpy)  # noqa: NPY002
            random.setstate(kept_by_python)
            torch.set_num_threads(n_threads)


# Timing


def seconds_of(function, *args, **options):
    """Return the seconds that a call takes, and what it returns."""
    start = time.perf_counter()
    found = function(*args, **options)
    return time.perf_counter() - start, found


def spread(values, form):
    """Median (smallest..largest)."""
    low, high = (format(edge(values), form) for edge in (min, max))
    return f"{format(statistics.median(values), form)} ({low}..{high})"


# The report


def report(benchmark, runs, args):
    """Return the whole report as text."""
    parts = [benchmark.about, provenance(benchmark, runs, args)]
    runs = runs.reindex(columns=[*dict.fromkeys([*runs, "error", "warnings"])])
    measured = runs[runs["error"].isna()]
    if len(measured):
        parts += benchmark.report(measured, args)
    else:
        parts.append("Nothing was measured.")
    return "\n\n\n".join([*parts, *incidents(runs)])


def provenance(benchmark, runs, args):
    """Lines on the command, the commit, the versions, the machine and the jobs."""
    used = {benchmark.needs[m] for m in args.methods if m in benchmark.needs}
    used = [rivals.PACKAGES.get(module, module) for module in sorted(used)]
    packages = ["skvae", "torch", "scikit-learn", "numpy", *used]
    rows = "" if args.rows is None else f" of at most {args.rows:,} rows"
    ks = "" if benchmark.k is None else f"; k = {' and '.join(map(str, args.k))}"
    lines = [
        args.command,
        ", ".join([f"commit {commit()}", *map(version, packages)]),
        f"python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {joblib.cpu_count()} cores; workers: {args.workers}, "
        f"threads of each: {args.threads or 'all'}",
        f"tables: {runs['table'].nunique()}{rows}{ks}; seeds: {args.seeds}",
    ]
    if args.parameters:
        lines.append(f"skvae with {args.parameters}")
    if args.left_out:
        lines.append(f"left out, not installed: {', '.join(args.left_out)}")
    return "\n".join(lines)


def version(package):
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{package} of this checkout"


def commit():
    """Name the checkout's commit, with "-dirty" where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def by_half(runs):
    """Yield a title and the records of each half of the tables."""
    for half in tables.HALVES:
        its = runs[runs["half"] == half]
        if len(its):
            yield f"{half.upper()}, {its['table'].nunique()} tables", its


def medians(runs, keys, figures):
    """Return medians of figures, keys and methods in the order in which they ran."""
    return runs.groupby(keys, sort=False, dropna=False)[list(figures)].median()


def table_of(column, args):
    """Return a figure's medians, a row for each table and a column for each method."""
    return in_order(column.unstack("method"), args)


def in_order(frame, args):
    """Sort columns as the methods are listed; leave out the empty ones."""
    return frame[[m for m in args.methods if m in frame]].dropna(axis=1, how="all")


def rows_in_order(frame, args):
    """Sort rows as the methods are listed."""
    return frame.loc[[m for m in args.methods if m in frame.index]]


def show(frame):
    return frame.round(3).to_string(na_rep="")


def incidents(runs):
    """Return parts on what was warned of and what failed, if anything."""
    parts, warned = [], Counter()
    for _, run in runs.dropna(subset="warnings").iterrows():
        warned.update((f"{run['method']}", what) for what in run["warnings"].split())
    if warned:
        lines = [f"{m}: {count} {what}" for (m, what), count in sorted(warned.items())]
        parts.append("\n".join(["WARNINGS, counted and not shown", *lines]))
    lines = ["JOBS THAT FAILED"]
    for _, run in runs.dropna(subset="error").iterrows():
        job = f"{run['method']} on {run['table']}, k={run['k']}, seed {run['seed']}"
        lines.append(textwrap.shorten(f"{job}: {run['error']}", WIDTH))
    return parts + ["\n".join(lines)] * (len(lines) > 1)


def write_whole(path, text):
    """Write next to the file, then rename: a reader never sees half a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
