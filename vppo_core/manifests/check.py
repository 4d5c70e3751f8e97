"""What a job asks of a cluster, and whether the platform has it. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from vppo_core.errors import InvalidSpecError
from vppo_core.lifecycle.offers import check_priority, queue_of
from vppo_core.manifests.groups import (
    ROLES,
    Group,
    groups_of,
    pool_of_role,
    process_of,
)
from vppo_core.redact import redact
from vppo_core.spec.fields import leaves, nearest
from vppo_core.spec.job import VPPOJob, VPPOJobSpec
from vppo_core.spec.platform import PlatformSpec
from vppo_core.spec.wording import shown

LOCAL_SCHEMES: Final = ("file", "local", "memory")
DEMO_SCHEME: Final = "demo://"


def check_cluster_job(job: VPPOJob, platform: PlatformSpec) -> None:
    """Refuse what this cluster cannot run, before anything is created.

    Raises:
        InvalidSpecError: one line for each thing that is wrong.
    """
    wrong = [*_identity(job), *_priority(job.spec, platform), *_offers(job.spec, platform)]
    wrong += [*_files(job.spec, platform), *_secrets(job.spec)]
    if wrong:
        raise InvalidSpecError("\n".join(wrong))


def trouble_of_cluster_job(spec: VPPOJobSpec, platform: PlatformSpec) -> str:
    """Why an accepted job will not start any more: the platform changed since; empty if it may."""
    wrong = [*_offers(spec, platform), *_files(spec, platform)]
    if not wrong:
        return ""
    return f"the platform has changed: {wrong[0]}; or bring back what the job was accepted with"


def _identity(job: VPPOJob) -> Iterator[str]:
    for field in ("name", "namespace"):
        if not getattr(job.metadata, field):
            yield f"metadata.{field} must be set on a cluster, got nothing; write one"


def _priority(spec: VPPOJobSpec, platform: PlatformSpec) -> Iterator[str]:
    try:
        check_priority(spec.priority, platform)
    except InvalidSpecError as error:
        yield str(error)


def _offers(spec: VPPOJobSpec, platform: PlatformSpec) -> Iterator[str]:
    """Queue, pools, and whether pods fit on nodes."""
    if queue_of(spec, platform) is None:
        names = [queue.name for queue in platform.queues]
        yield _choice("scheduling.queue", spec.scheduling.queue, names)
        return  # without it nobody knows the pools of the roles
    pools = [pool.name for pool in platform.pools]
    for role in ROLES:
        name = process_of(role, spec.placement).pool
        if pool_of_role(role, spec, platform) is None:
            # A pool that is not named comes from the platform, whose own names agree.
            yield _choice(f"placement.{role}.pool", name, pools)
    groups = groups_of(spec, platform)
    for group in groups:
        yield from _fit(group)
    yield from _totals(groups)


def _fit(group: Group) -> Iterator[str]:
    role, nodes, pool = group.role, group.nodes, group.pool.name
    for field, asked, has in (
        ("cpus", group.cpus, nodes.cpus_per_node),
        ("gpus", group.gpus, nodes.gpus_per_node),
    ):
        if asked > has:
            yield (
                f"placement.{role}.{field} must be at most {has}, as a node of pool '{pool}' has "
                f"them, got {asked}; lower it, or choose another pool"
            )


def _totals(groups: Sequence[Group]) -> Iterator[str]:
    for pool in {group.pool.name: group.pool for group in groups}.values():
        roles = [one for one in groups if one.pool.name == pool.name and one.gpus]
        gpus = sum(one.pods * one.gpus for one in roles)
        if gpus > pool.gpus:
            names = ", ".join(one.role for one in roles)
            yield (
                f"placement must ask for at most {pool.gpus} GPUs, as the pool '{pool.name}' has "
                f"them, got {gpus} for {names}; lower replicas or gpus of a role, or choose "
                "another queue or pool"
            )


def _files(spec: VPPOJobSpec, platform: PlatformSpec) -> Iterator[str]:
    has_claim = platform.cluster is not None and bool(platform.cluster.storage.claim)
    scheme, separator, _ = spec.checkpoint.uri.partition("://")
    if not has_claim and (not separator or scheme in LOCAL_SCHEMES):
        yield (
            "checkpoint.uri must be an object store on a platform without storage, where files die "
            f"with their pod, got {shown(spec.checkpoint.uri)}; write s3://BUCKET/PREFIX or "
            "another fsspec address"
        )
    sources = {
        "model.source": spec.model.source,
        "data.source": spec.data.source,
        "data.validationSource": spec.data.validation_source,
    }
    for field, source in sources.items():
        if not has_claim and source.startswith(DEMO_SCHEME):
            yield (
                f"{field} must not be made by the driver on a platform without storage, where the "
                f"other pods cannot read it, got {shown(source)}; name a model or data set of a "
                "hub or an object store"
            )


def _secrets(spec: VPPOJobSpec) -> Iterator[str]:
    """A spec is stored, shown and copied: no place for a credential."""
    wire = spec.model_dump(mode="json", by_alias=True)
    for leaf in leaves():
        value = wire
        for name in leaf.path:
            value = value[name]
        if isinstance(value, str) and redact(value) != value:
            yield (
                f"{'.'.join(leaf.path)} must not hold a credential, got {shown(redact(value))}; "
                "put it into a Secret of the namespace and name that in placement.secret"
            )


def _choice(field: str, value: str, names: Sequence[str]) -> str:
    near = nearest(value, names)
    cure = f"did you mean '{near}'?" if near else "choose one of these, or leave it out"
    choices = ", ".join(f"'{name}'" for name in names)
    return f"{field} must be one of {choices}, got {shown(value)}; {cure}"
