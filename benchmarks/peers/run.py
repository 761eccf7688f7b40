"""The measurement: all peers write, are checked, and take their turns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.measure import Spread
from benchmarks.peers import source
from benchmarks.peers.contract import NotOffered
from benchmarks.peers.fresh import first_sample, peak_memory
from benchmarks.peers.jobs import STREAMS
from benchmarks.peers.registry import BY_NAME, Entry
from benchmarks.peers.team import Failed, Worker, WorkerLost

WRITE_BYTES = 256 << 20  # that the job `write` writes at most
WRITE_SAMPLES = 50_000
PREPARE_SECONDS = 1800.0
CHECK_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Parameters:
        datasets: their names.
        peers: their names.
        jobs: their names.
        data: folder that keeps what the peers wrote.
        samples: of each dataset; None for all.
        repeats: turns of each peer in each job.
        seconds: time of one turn.
        timeout: seconds after which a peer that does not answer is given up.
    """

    datasets: Sequence[str]
    peers: Sequence[str]
    jobs: Sequence[str]
    data: Path
    samples: int | None = None
    repeats: int = 5
    seconds: float = 1.0
    timeout: float = 120.0

    def n(self, dataset: str) -> int:
        """Samples of a dataset."""
        n = source.BY_NAME[dataset].n
        return n if self.samples is None else min(n, self.samples)


@dataclass(slots=True)
class Result:
    """What came of one peer in one job on one dataset.

    Parameters:
        dataset, peer, job: names.
        values: figures of all turns, in the unit of the job.
        not_offered: why the peer does not do it; empty if it does.
        failed: how it failed; empty if it did not.
        missing: what is not installed; empty if it is.
    """

    dataset: str
    peer: str
    job: str
    values: list[float] = field(default_factory=list)
    not_offered: str = ""
    failed: str = ""
    missing: str = ""

    @property
    def spread(self) -> Spread | None:
        """Middle and extremes; None where nothing was measured."""
        return Spread.of(self.values) if self.values and not self.failed else None


class Round:
    """All jobs on one dataset.

    Parameters:
        plan: what to measure.
        dataset: which one.
    """

    def __init__(self, plan: Plan, dataset: str) -> None:
        self.plan = plan
        self.dataset = dataset
        self.n = plan.n(dataset)
        self.mean = source.mean_bytes(dataset, self.n)
        self.folder = plan.data / "peers" / f"{dataset}-{self.n}"
        self.results = {(peer, job): Result(dataset, peer, job) for peer in plan.peers for job in plan.jobs}
        self.workers: dict[str, Worker] = {}
        self.sizes: dict[str, float] = {}

    def run(self) -> list[Result]:
        """Measure everything."""
        for left_over in self.folder.glob("write-*"):  # by a worker that was killed
            shutil.rmtree(left_over)
        with ExitStack() as stack:
            for name in self.plan.peers:
                self.start(BY_NAME[name], stack)
            for job in self.plan.jobs:
                for _ in tqdm(
                    range(self.turns(job)), desc=f"{self.dataset}: {job}", leave=False, disable=None
                ):
                    for name in self.plan.peers:
                        self.turn(name, job)
        return list(self.results.values())

    def turns(self, job: str) -> int:
        """How often a job is done; what can be told from another job, or once for all, is not done again."""
        if job == "cpu":
            return 0 if "batches" in self.plan.jobs else self.plan.repeats
        return 1 if job == "size" else self.plan.repeats

    def start(self, entry: Entry, stack: ExitStack) -> None:
        """Have a peer write its files and check what it reads; or note why it cannot."""
        missing = entry.missing()
        if missing:
            self.note(entry.name, self.plan.jobs, missing=f"not installed: {', '.join(missing)}")
            return
        try:
            self.prepare(entry)
            worker = stack.enter_context(self.worker(entry.name))
            worker.ask("open", self.plan.timeout, folder=str(self.files(entry)))
            if not entry.is_limit:
                worker.ask("check", CHECK_SECONDS, dataset=self.dataset, n=self.n)
            self.workers[entry.name] = worker
        except NotOffered as reason:
            self.note(entry.name, self.plan.jobs, not_offered=str(reason))
        except Failed as error:
            self.give_up(entry.name, str(error))

    def prepare(self, entry: Entry) -> None:
        """Have the files written that a peer reads, by whoever writes them."""
        if entry.stored_as not in self.sizes:
            with self.worker(entry.stored_as) as worker:
                reply = worker.ask(
                    "prepare", PREPARE_SECONDS, dataset=self.dataset, n=self.n, folder=str(self.files(entry))
                )
            self.sizes[entry.stored_as] = reply["megabytes"]

    def worker(self, name: str) -> Worker:
        """A process for a peer."""
        return Worker(name, self.plan.data / "peers" / "logs" / f"{name}.log")

    def files(self, entry: Entry) -> Path:
        """Folder of the files that a peer reads."""
        return self.folder / entry.stored_as

    def turn(self, name: str, job: str) -> None:
        """Have a peer do a job once, and note what comes of it."""
        result = self.results[name, job]
        if name not in self.workers or result.failed or result.not_offered:
            return
        try:
            self.figures(name, job)
        except NotOffered as reason:
            self.note(name, [job], not_offered=str(reason))
        except WorkerLost as error:
            if self.workers[name].process.returncode is None:
                self.note(name, [job], failed=str(error))
            else:
                self.give_up(name, f"{job}: {error}", [job, *self.jobs_after(job)])
        except Failed as error:
            self.note(name, [job], failed=str(error))

    def figures(self, name: str, job: str) -> None:
        """Measure once."""
        plan, entry = self.plan, BY_NAME[name]
        if job in STREAMS or job == "cpu":
            reply = self.ask(name, "measure", job="batches" if job == "cpu" else job, seconds=plan.seconds)
            if job in STREAMS:
                self.add(name, job, reply["rate"])
            if job in ("batches", "cpu") and not entry.is_limit:
                self.add(name, "cpu", reply["cpu"] / self.mean * 1e9)
        elif job == "write":
            n = max(1, min(self.n, WRITE_SAMPLES, int(WRITE_BYTES / self.mean)))
            reply = self.ask(name, "write", dataset=self.dataset, n=n, folder=str(self.folder))
            self.add(name, job, reply["rate"])
        elif job == "size":
            self.add(name, job, self.sizes[entry.stored_as])
        else:
            measure = first_sample if job == "first" else peak_memory
            self.add(name, job, measure(name, self.files(entry), plan.timeout))

    def ask(self, name: str, do: str, **arguments: Any) -> dict[str, Any]:
        """Have a peer's worker do something."""
        return self.workers[name].ask(do, self.plan.timeout + self.plan.seconds, **arguments)

    def add(self, name: str, job: str, value: float) -> None:
        """Note a figure, if it is asked for."""
        if (name, job) in self.results:
            self.results[name, job].values.append(value)

    def note(self, name: str, jobs: Iterable[str], **reasons: str) -> None:
        """Note why there are no figures; the reasons are named as in `Result`."""
        for job in jobs:
            for kind, reason in reasons.items():
                setattr(self.results[name, job], kind, reason)

    def give_up(self, name: str, reason: str, jobs: Iterable[str] | None = None) -> None:
        """Note that a peer has failed in all jobs that are left."""
        self.workers.pop(name, None)
        self.note(name, self.plan.jobs if jobs is None else jobs, failed=reason)

    def jobs_after(self, job: str) -> Iterator[str]:
        """The jobs that have not begun."""
        jobs = list(self.plan.jobs)
        return iter(jobs[jobs.index(job) + 1 :])


def run(plan: Plan, done: Callable[[list[Result]], None] = lambda results: None) -> list[Result]:
    """Measure what is asked for, dataset by dataset; ``done`` gets the results so far after each."""
    results: list[Result] = []
    for dataset in plan.datasets:
        results += Round(plan, dataset).run()
        done(results)
    return results
