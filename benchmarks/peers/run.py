"""The measurement: all peers write, are checked, and are measured in turns."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.measure import Spread
from benchmarks.peers import source
from benchmarks.peers.contract import NotOffered
from benchmarks.peers.fresh import first_sample, peak_memory
from benchmarks.peers.jobs import BY_NAME as JOBS
from benchmarks.peers.jobs import STREAMS
from benchmarks.peers.progress import Progress
from benchmarks.peers.registry import BY_NAME, Entry
from benchmarks.peers.team import Failed, Worker, WorkerLost

WRITE_BYTES = 256 << 20  # that the job `write` writes at most
WRITE_SAMPLES = 50_000
PREPARE_SECONDS = 1800.0
CHECK_SECONDS = 600.0
SLOW_SECONDS = 15.0  # a turn that takes longer is not repeated
SPARE = 1.3  # space on the disk for each byte of samples


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Parameters:
        datasets: their names.
        peers: their names.
        jobs: their names.
        data: folder for the files of the peers.
        gigabytes: maximum size of each dataset, so that the files of all peers stay in the page cache.
        samples: maximum number of samples of each dataset; None for no limit.
        repeats: turns of each peer in each job.
        seconds: time of one turn.
        timeout: seconds after which a peer that does not answer fails.
        keep: keep the files of the peers for the next run.
    """

    datasets: Sequence[str]
    peers: Sequence[str]
    jobs: Sequence[str]
    data: Path
    gigabytes: float = 0.8
    samples: int | None = None
    repeats: int = 5
    seconds: float = 0.5
    timeout: float = 120.0
    keep: bool = False

    def n(self, dataset: str) -> int:
        """Samples of a dataset."""
        n = source.fitting(dataset, self.gigabytes)
        return n if self.samples is None else min(n, self.samples)

    def turns(self, job: str) -> int:
        """Number of turns of a job; 0 if another job provides its figures."""
        if job == "cpu" and "batches" in self.jobs:
            return 0
        return JOBS[job].turns(self.repeats)


@dataclass(slots=True)
class Result:
    """The result of one peer in one job on one dataset.

    Parameters:
        dataset, peer, job: names.
        values: figures of all turns, in the unit of the job.
        not_offered: why the peer does not support it; empty if it does.
        failed: how it failed; empty if it did not.
        missing: the packages that are not installed; empty if all are.
        finished: whether it has had all its turns.
    """

    dataset: str
    peer: str
    job: str
    values: list[float] = field(default_factory=list)
    not_offered: str = ""
    failed: str = ""
    missing: str = ""
    finished: bool = False

    @property
    def spread(self) -> Spread | None:
        """Median and extremes; None if nothing was measured."""
        return Spread.of(self.values) if self.values and not self.failed else None


class Round:
    """All jobs on one dataset.

    Parameters:
        plan: what to measure.
        dataset: which one.
        before: results of an earlier run; finished ones are kept.
    """

    def __init__(self, plan: Plan, dataset: str, before: Iterable[Result] = ()) -> None:
        self.plan = plan
        self.dataset = dataset
        self.n = plan.n(dataset)
        self.folder = plan.data / "peers" / f"{dataset}-{self.n}"
        self.results = {(peer, job): Result(dataset, peer, job) for peer in plan.peers for job in plan.jobs}
        for result in before:
            if result.finished and result.dataset == dataset and (result.peer, result.job) in self.results:
                self.results[result.peer, result.job] = result
        self.workers: dict[str, Worker] = {}
        self.sizes: dict[str, float] = {}
        self.slow: set[tuple[str, str]] = set()

    @cached_property
    def mean(self) -> float:
        """Bytes of a sample."""
        return source.mean_bytes(self.dataset, self.n)

    def run(self, done: Callable[[], None] = lambda: None) -> None:
        """Measure everything that is not finished; ``done`` is called after each job."""
        if all(result.finished for result in self.results.values()):
            return
        self.make_room()
        turns = sum(map(self.plan.turns, self.plan.jobs))
        with ExitStack() as stack:
            progress = stack.enter_context(Progress(self.dataset, len(self.plan.peers) * (turns + 1)))
            for name in self.plan.peers:
                progress.step(f"{name} writes")
                progress.say(self.start(BY_NAME[name], stack))
            for job in self.plan.jobs:
                if self.do(job, progress):
                    done()
        if not self.plan.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_room(self) -> None:
        """Remove the files of killed workers, and check that all files fit onto the disk.

        Raises:
            SystemExit: they do not.
        """
        for left_over in self.folder.glob("write-*"):
            shutil.rmtree(left_over)
        self.folder.mkdir(parents=True, exist_ok=True)
        copies = {BY_NAME[name].stored_as for name in self.plan.peers}
        copies -= {folder.name for folder in self.folder.iterdir()}
        needed = (len(copies) * self.n * self.mean + WRITE_BYTES) * SPARE / 1e9
        free = shutil.disk_usage(self.folder).free / 1e9
        if needed > free:
            raise SystemExit(
                f"{self.folder}: {len(copies)} peers need {needed:.1f} GB, and {free:.1f} GB are free; "
                "reduce --gigabytes or --samples, or use --data for another folder"
            )

    def do(self, job: str, progress: Progress) -> bool:
        """Run a job with all peers, in turns. Returns whether there was anything to measure."""
        if not self.plan.turns(job):
            return False
        names = [name for name in self.plan.peers if not self.results[name, job].finished]
        for turn in range(self.plan.turns(job)):
            for name in names:
                progress.step(f"{job}, turn {turn + 1}, {name}")
                self.turn(name, job)
        for name in names:
            self.results[name, job].finished = True
            if job == "batches" and "cpu" in self.plan.jobs:
                self.results[name, "cpu"].finished = True
        if names:
            progress.say(f"{job} done")
        return bool(names)

    def start(self, entry: Entry, stack: ExitStack) -> str:
        """Make a peer write its files and check the samples that it reads. Returns a line about the result."""
        jobs = self.plan.jobs
        if all(self.results[entry.name, job].finished for job in jobs):
            return f"{entry.name} is finished"
        missing = entry.missing()
        if missing:
            self.note(entry.name, jobs, missing=f"not installed: {', '.join(missing)}")
            return f"{entry.name} is not installed"
        try:
            self.prepare(entry)
            worker = stack.enter_context(self.worker(entry.name))
            worker.ask("open", self.plan.timeout, folder=str(self.files(entry)))
            if not entry.is_limit:
                worker.ask("check", CHECK_SECONDS, dataset=self.dataset, n=self.n)
            self.workers[entry.name] = worker
        except NotOffered as reason:
            self.note(entry.name, jobs, not_offered=str(reason))
            return f"{entry.name} is left out: {reason}"
        except Failed as error:
            self.give_up(entry.name, str(error), jobs)
            return f"{entry.name} failed: {error}"
        return f"{entry.name} has {self.sizes[entry.stored_as]:,.0f} MB, checked"

    def prepare(self, entry: Entry) -> None:
        """Make the files that a peer reads, with the peer that writes them."""
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
        """Run a job with a peer once, and note the result."""
        result = self.results[name, job]
        if name not in self.workers or result.failed or result.not_offered or (name, job) in self.slow:
            return
        started = time.perf_counter()
        try:
            self.figures(name, job)
            if time.perf_counter() - started > SLOW_SECONDS:
                self.slow.add((name, job))
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
        """Send a request to the worker of a peer."""
        return self.workers[name].ask(do, self.plan.timeout + self.plan.seconds, **arguments)

    def add(self, name: str, job: str, value: float) -> None:
        """Note a figure, if the plan includes its job."""
        if (name, job) in self.results and not self.results[name, job].finished:
            self.results[name, job].values.append(value)

    def note(self, name: str, jobs: Iterable[str], **reasons: str) -> None:
        """Note why figures are missing; reasons have the names of the attributes of `Result`."""
        for job in jobs:
            if self.results[name, job].finished:
                continue
            for kind, reason in reasons.items():
                setattr(self.results[name, job], kind, reason)

    def give_up(self, name: str, reason: str, jobs: Iterable[str]) -> None:
        """Note that a peer has failed in all remaining jobs."""
        self.workers.pop(name, None)
        self.note(name, jobs, failed=reason)

    def jobs_after(self, job: str) -> Iterator[str]:
        """The jobs that have not started."""
        jobs = list(self.plan.jobs)
        return iter(jobs[jobs.index(job) + 1 :])


def run(
    plan: Plan, before: Sequence[Result] = (), done: Callable[[list[Result]], None] = lambda results: None
) -> list[Result]:
    """Measure one dataset after the other.

    Parameters:
        plan: what to measure.
        before: results of an earlier run; finished jobs are not measured again, and all results are kept.
        done: called with all results after each job.
    """
    rounds = [Round(plan, dataset, before) for dataset in plan.datasets]

    def results() -> list[Result]:
        now = list(chain.from_iterable(round_.results.values() for round_ in rounds))
        keys = {(result.dataset, result.peer, result.job) for result in now}
        return [*(old for old in before if (old.dataset, old.peer, old.job) not in keys), *now]

    for round_ in rounds:
        round_.run(lambda: done(results()))
    return results()
