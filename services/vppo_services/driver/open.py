"""Opens a run: what is wrong with spec, data or model is found before Ray starts."""

import signal
from dataclasses import dataclass
from pathlib import Path

from vppo_core.catalogue import labelled
from vppo_core.rewards.base import Verdict
from vppo_core.spec.cluster import DRIVER_METRICS_PORT
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.quarantine import Quarantine
from vppo_services.data.rows import RowSource
from vppo_services.data.sampler import RowSampler
from vppo_services.data.sources import read_rows
from vppo_services.demo.ensure import resolve_job
from vppo_services.driver.attempt import Attempt
from vppo_services.driver.checkpoint import Checkpoints
from vppo_services.driver.collect import Collector
from vppo_services.driver.drain import Drain
from vppo_services.driver.feed import PromptFeed
from vppo_services.driver.feed import store as store_prompt
from vppo_services.driver.fleet import Fleet, cpus_of
from vppo_services.driver.progress import Counter, ProgressView
from vppo_services.driver.provenance import tags_of, write_spec
from vppo_services.driver.run import Run, as_text
from vppo_services.driver.spotlight import Spotlight
from vppo_services.driver.store import CheckpointStore
from vppo_services.evaluation.questions import held_out
from vppo_services.observability.tracker import METRICS_FILE, Tracker, job_uid
from vppo_services.policy.loading import check_model
from vppo_services.policy.settings import load_processor
from vppo_services.transport.node import metrics_urls, start_ray
from vppo_services.transport.role_log import log_environment
from vppo_services.transport.role_nodes import await_roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an attempt is asked to do, and whom it reports to."""

    job: VPPOJob
    folder: Path
    resume: bool
    attempt: Attempt
    drain: Drain
    progress: ProgressView
    is_on_cluster: bool = False
    """Whether it runs in a pod, with one worker group for each role."""

    request: str = ""
    """Id of the request that made the job; empty where nobody knows it."""


def open_run(asked: Opening) -> Run:
    """Check everything, start all roles, restore or begin; the caller stops Ray.

    Raises:
        InvalidSpecError, InvalidDataError: before any process was started.
        RoleDiedError, RoleTimeoutError: a role could not start.
        KeyboardInterrupt: a stop was requested meanwhile; nothing was trained.
    """
    job, folder, drain, progress = asked.job, asked.folder, asked.drain, asked.progress
    with drain.interrupting():
        spec = _resolved(job.spec, progress)
        check_model(spec.model)
        processor = load_processor(spec)
        factory = PromptFactory(processor, spec.data)
        source = read_rows(spec.data, spec.data.source)
        questions = held_out(spec, factory)
    uri = spec.checkpoint.uri or str((folder / "checkpoints").absolute())
    store = CheckpointStore(uri, keep_last=spec.checkpoint.keep_last)
    with progress.stage("starting the roles"):
        _start_ray(asked, spec)
        with drain.interrupting():
            if asked.is_on_cluster:
                await_roles(spec.placement, timeout_seconds=spec.learner.timeout_seconds)
            fleet = Fleet.start(spec)
    job_object = job.model_dump(mode="json", by_alias=True)
    feed = PromptFeed(
        source,
        factory,
        RowSampler(len(source), spec.seed, spec.data.shuffle),
        Quarantine(folder / "quarantine.jsonl", spec.data.max_quarantine_share),
        name=job.spec.data.source,
    )
    checkpoints = Checkpoints(
        store,
        fleet,
        feed,
        metrics_file=folder / METRICS_FILE,
        job_json=as_text(job_object),
        attempt=asked.attempt.number,
        on_complete=asked.attempt.saved,
    )
    run = Run(
        job=spec,
        job_object=job_object,
        folder=folder,
        fleet=fleet,
        feed=feed,
        collector=Collector(fleet, feed, spec),
        checkpoints=checkpoints,
        tracker=None,  # type: ignore[arg-type]
        progress=progress,
        drain=drain,
        attempt=asked.attempt,
        spotlight=Spotlight(folder, spec, processor, attempt=asked.attempt.number),
        held_out=[store_prompt(prompt).ref for prompt in questions],
    )
    if asked.resume:
        run.restore()
    fleet.publish(run.step, step=run.step)
    drain.check()
    run.tracker = _tracker(asked, resumed_step=run.step if asked.resume else -1)
    run.tracker.announce(run.standing())
    run.tracker.announce({labelled("reward_verdicts", verdict): 0.0 for verdict in Verdict})
    run.tracker.log_params(job_object["spec"])
    _tell_origin(run, asked, source)
    return run


def _tell_origin(run: Run, asked: Opening, source: RowSource) -> None:
    number, folder = asked.attempt.number, asked.folder
    run.tracker.set_tags(tags_of(asked.job, source, attempt=number, uid=job_uid(folder)))
    spec = folder / "attempts" / str(number) / "spec.yaml"
    if write_spec(spec, asked.job):
        for of_attempt in (False, True):
            run.tracker.log_artifact(spec, of_attempt=of_attempt)


def _tracker(asked: Opening, *, resumed_step: int) -> Tracker:
    """What reports steps; in a pod its `/metrics` are read from outside, at a known port."""
    tracking, host = asked.job.spec.tracking, "127.0.0.1"
    if asked.is_on_cluster:
        host = "0.0.0.0"
        port = tracking.metrics_port or DRIVER_METRICS_PORT
        tracking = tracking.model_copy(update={"metrics_port": port})
    name = asked.job.metadata.name
    return Tracker.open(
        asked.folder,
        tracking,
        job=name,
        attempt=asked.attempt.number,
        resumed_step=resumed_step,
        host=host,
        ray_urls=metrics_urls(),
    )


def _start_ray(asked: Opening, spec: VPPOJobSpec) -> None:
    """Start Ray, which takes SIGTERM for itself and ends the process at one that arrives now."""
    drain = asked.drain
    about = log_environment(
        job=asked.job.metadata.name, attempt=asked.attempt.number, request=asked.request
    )
    try:
        start_ray(
            cpus=cpus_of(spec),
            object_store_mib=spec.placement.object_store_mib,
            environment=about,
        )
    except SystemExit:
        drain.requested = True
        drain.check()
    finally:
        drain.install()
        signal.alarm(0)  # Ray's handler in C++ sets one, to abort a process that outlives SIGTERM


def _resolved(asked: VPPOJobSpec, progress: ProgressView) -> VPPOJobSpec:
    counters: dict[str, Counter] = {}

    def on_progress(source: str, done: int, total: int) -> None:
        if source not in counters:
            counters[source] = progress.counter(f"making {source}", total)
        counters[source].set(done)

    return resolve_job(asked, on_progress)
