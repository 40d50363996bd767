"""Every page of the running dashboard, timed by websocket, with little stored and with more."""

import time
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.back_end import SENTENCE, BackEnd, back_end, train
from benchmarks.browser import PageRun, dashboard, tab
from benchmarks.tables import Table, Target, duration, p50, p95
from benchmarks.workload import utc_now
from mlops.aws.datasets import Datasets
from mlops.aws.jobs import Jobs
from mlops.datasets import Metadata
from mlops.job import Job

PAGES = ("chat", "datasets", "gpus", "jobs", "costs")
RERUNS = 40
JOBS, DATASETS = 1_000, 200
TARGET = Target("p95", 0.300)
COLUMNS = ("page", "first", "n", "p50", "p95", "AWS calls", "messages", "kB", "target", "verdict")


def run() -> Iterator[Table]:
    with back_end() as back:
        session = back.bench.new_session()
        train(back.bench, session, SENTENCE.replace("ciER", "cier-small"))
        (job,) = back.bench.jobs()
        yield _measure(back, session, "1 job, 2 datasets")
        _store_datasets(back)
        _store_jobs(back, job)
        yield _measure(back, session, f"{1 + JOBS:,} jobs, {2 + DATASETS} datasets")


def _measure(back: BackEnd, session: str, stored: str) -> Table:
    """A dashboard of its own, so that both stores are met by a process of the same age."""
    began = time.perf_counter()
    with dashboard(back.home) as address:
        ready = duration(time.perf_counter() - began)
        rows = tuple(_row(back, address, page, session) for page in PAGES)
    return Table(
        title=f"Page runs with {stored} stored",
        columns=COLUMNS,
        rows=rows,
        notes=(
            f"The dashboard was ready {ready} after its start; the back end ran already.",
            "From the request on the websocket to script_finished; one viewer, no pause between.",
            "“first” is the first run of a new session in that process. The chat shows one whole",
            "conversation to its report; the jobs page shows the newest job with curves and log.",
            "AWS calls are of one rerun, by the access log of the embedded AWS. The target is the",
            "design's for 10,000 jobs, 1,000 datasets and 1,000,000 points, which this is not yet.",
        ),
    )


def _row(back: BackEnd, address: str, page: str, session: str) -> tuple[str, ...]:
    name, query = ("", f"c={session}") if page == "chat" else (page, "")
    runs: list[PageRun] = []
    with tab(address, name, query) as viewer:
        first = viewer.run()
        calls = min(back.calls_of(viewer.run).total() for _ in range(3))
        runs += [viewer.run() for _ in range(RERUNS)]
    seconds = [run.seconds for run in runs]
    return (
        page,
        duration(first.seconds),
        str(len(runs)),
        duration(p50(seconds)),
        duration(p95(seconds)),
        str(calls),
        str(runs[-1].messages),
        f"{runs[-1].bytes / 1000:.0f}",
        str(TARGET),
        TARGET.verdict(seconds),
    )


def _store_datasets(back: BackEnd) -> None:
    """Small ones, uploaded and prepared as any other."""
    datasets = Datasets(back.services.aws)
    sentence = "Fall{0}\tO\nhat\tO\nFieber{0}\tB-Symptom\n.\tO\n\n"
    content = "".join(sentence.format(number) for number in range(40)).encode()
    metadata = Metadata(title="Benchmark corpus", synthetic=True, source="made by a benchmark")
    for number in range(DATASETS):
        name = f"corpus-{number:03}"
        datasets.upload(name, {"train.tsv": content}, metadata)
        datasets.prepare(name, utc_now)


def _store_jobs(back: BackEnd, example: Job) -> None:
    """Records of finished jobs, each created a minute before the last; no money moves for them."""
    jobs = Jobs(back.services.aws)
    for number in range(1, JOBS + 1):
        name, ago = f"llmops-benchmark-{number:06}", timedelta(minutes=number)
        created = example.created_at - ago
        changes = {"job_name": name, "plan_id": f"plan-benchmark-{number:06}"}
        jobs.add(example.model_copy(update={**changes, "created_at": created}))
        jobs.close(name)
