"""Opens a run: what is wrong with spec, data or model is found before Ray starts."""

import logging
from pathlib import Path
from typing import Any

from vppo_core.errors import InvalidDataError
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_core.spec.loading import load_job
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.quarantine import Quarantine
from vppo_services.data.rows import BadRowError, RowSource
from vppo_services.data.sampler import RowSampler
from vppo_services.data.sources import read_rows
from vppo_services.demo.ensure import resolve_job
from vppo_services.driver.checkpoint import Checkpoints
from vppo_services.driver.collect import Collector
from vppo_services.driver.drain import Drain
from vppo_services.driver.feed import PromptFeed, store
from vppo_services.driver.fleet import Fleet, start_ray
from vppo_services.driver.progress import Counter, ProgressView
from vppo_services.driver.run import Run, as_text
from vppo_services.driver.store import CheckpointStore
from vppo_services.observability.tracker import Tracker
from vppo_services.policy.loading import check_model
from vppo_services.policy.settings import load_processor

_log = logging.getLogger(__name__)


def open_run(job: VPPOJob, folder: Path, *, resume: bool, quiet: bool) -> Run:
    """Check everything, start all roles, restore or begin; the caller closes what this opened.

    Raises:
        InvalidSpecError, InvalidDataError: before any process was started.
        RoleDiedError, RoleTimeoutError: a role could not start.
    """
    asked = job.spec
    progress = ProgressView(asked.learner.num_steps, quiet=quiet)
    progress.__enter__()
    spec = _resolved(asked, progress)
    check_model(spec.model)
    processor = load_processor(spec)
    factory = PromptFactory(processor, spec.data)
    source = read_rows(spec.data, spec.data.source)
    held_out = _held_out(spec, factory)
    uri = spec.checkpoint.uri or str((folder / "checkpoints").absolute())
    checkpoints = CheckpointStore(uri, keep_last=spec.checkpoint.keep_last)

    with progress.stage("starting the roles"):
        start_ray(spec)
        drain = Drain()
        drain.install()
        fleet = Fleet.start(spec)
    job_object = job.model_dump(mode="json", by_alias=True)
    feed = PromptFeed(
        source,
        factory,
        RowSampler(len(source), spec.seed, spec.data.shuffle),
        Quarantine(folder / "quarantine.jsonl", spec.data.max_quarantine_share),
        name=asked.data.source,
    )
    run = Run(
        job=spec,
        job_object=job_object,
        folder=folder,
        fleet=fleet,
        feed=feed,
        collector=Collector(fleet, feed, spec),
        checkpoints=Checkpoints(checkpoints, fleet, feed, as_text(job_object)),
        tracker=None,  # type: ignore[arg-type]
        progress=progress,
        drain=drain,
        held_out=[store(prompt).ref for prompt in held_out],
    )
    if resume:
        run.restore()
    run.tracker = Tracker.open(
        folder, spec.tracking, job=job.metadata.name, resumed_step=run.step if resume else -1
    )
    run.tracker.log_params(job_object["spec"])
    fleet.publish(run.step, step=run.step)
    return run


def _resolved(asked: VPPOJobSpec, progress: ProgressView) -> VPPOJobSpec:
    counters: dict[str, Counter] = {}

    def on_progress(source: str, done: int, total: int) -> None:
        if source not in counters:
            counters[source] = progress.counter(f"making {source}", total)
        counters[source].set(done)

    return resolve_job(asked, on_progress)


def _held_out(spec: VPPOJobSpec, factory: PromptFactory) -> list[Any]:
    if not spec.data.validation_source:
        return []
    rows: RowSource = read_rows(spec.data, spec.data.validation_source)
    prompts = []
    for index in range(min(len(rows), spec.evaluation.max_prompts)):
        try:
            prompts.append(factory.make(rows[index], 0))
        except BadRowError as bad:
            _log.warning("a held-out row is left out: %s", bad)
    if not prompts:
        raise InvalidDataError(
            f"data.validationSource '{spec.data.validation_source}' has no usable row among the "
            f"first {spec.evaluation.max_prompts}; leave it empty to train without evaluation"
        )
    return prompts


def read_job(path: Path) -> VPPOJob:
    """The resolved job that the command line wrote.

    Raises:
        InvalidSpecError: the file is damaged.
    """
    return load_job(path.read_text(encoding="utf-8"))
