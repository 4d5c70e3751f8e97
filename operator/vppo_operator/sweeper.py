"""Finds what attempts left behind, and removes it: a cluster without its job costs GPUs."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeConflictError, KubeForbiddenError, KubeNotFoundError
from vppo_core.kube.kinds import (
    CONFIG_MAPS,
    DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    RAY_CLUSTERS,
    RAY_JOBS,
    Kind,
)
from vppo_core.manifests.labels import ATTEMPT_LABEL, JOB_LABEL
from vppo_operator.parts import attempt_of, deleted_at, meta, moment, status

_log = logging.getLogger(__name__)

PATIENCE: Final = timedelta(minutes=10)
KINDS: Final = (RAY_JOBS, RAY_CLUSTERS, DISRUPTION_BUDGETS, NETWORK_POLICIES, CONFIG_MAPS)


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object whose attempt is over, or whose job is gone."""

    kind: Kind
    namespace: str
    name: str
    uid: str


class Sweeper:
    """Looks at all objects of attempts every now and then."""

    def __init__(self, api: KubeApi, namespaces: Sequence[str]) -> None:
        """Nothing is read yet; no namespace means all."""
        self._api = api
        self._namespaces = tuple(namespaces) or ("",)

    def sweep(self, jobs: Sequence[KubeObject], now: datetime) -> list[Orphan]:
        """What was found, and is removed or about to be.

        Args:
            jobs: all VPPOJobs of the namespaces, read before this call.

        Raises:
            KubeUnavailableError: it may be incomplete.
        """
        by_name = {(meta(job)["namespace"], meta(job)["name"]): job for job in jobs}
        orphans = []
        for kind in KINDS:
            for namespace in self._namespaces:
                found = list(orphans_of(kind, self._list(kind, namespace), by_name, now))
                orphans += found
                for orphan in found:
                    self._remove(orphan)
        return orphans

    def _list(self, kind: Kind, namespace: str) -> Sequence[KubeObject]:
        try:
            return self._api.list(kind, namespace, labels={JOB_LABEL: None, ATTEMPT_LABEL: None})
        except KubeNotFoundError:
            return ()
        except KubeForbiddenError as error:
            _log.warning("left-over %s cannot be looked for: %s", kind.plural, error)
            return ()

    def _remove(self, orphan: Orphan) -> None:
        _log.warning(
            "%s %s/%s is left over; it is removed", orphan.kind.name, orphan.namespace, orphan.name
        )
        try:
            self._api.delete(orphan.kind, orphan.namespace, orphan.name, uid=orphan.uid)
        except (KubeConflictError, KubeNotFoundError, KubeForbiddenError) as error:
            _log.warning("%s %s stays: %s", orphan.kind.name, orphan.name, error)


def orphans_of(
    kind: Kind,
    things: Sequence[KubeObject],
    jobs: Mapping[tuple[str, str], KubeObject],
    now: datetime,
) -> Iterator[Orphan]:
    """Those of the objects that nobody needs since ten minutes."""
    for thing in things:
        head = meta(thing)
        index, made = attempt_of(thing), moment(head.get("creationTimestamp"))
        if index is None or made is None or deleted_at(thing) is not None:
            continue
        name = str((head.get("labels") or {}).get(JOB_LABEL))
        since = _over_since(jobs.get((head["namespace"], name)), index, made)
        if since is not None and now >= since + PATIENCE:
            yield Orphan(kind, str(head["namespace"]), str(head["name"]), str(head.get("uid", "")))


def _over_since(job: KubeObject | None, index: int, made: datetime) -> datetime | None:
    """When the attempt was over; None while it may go on."""
    if job is None:
        return made
    born = moment(meta(job).get("creationTimestamp"))
    if born is not None and made < born:
        return made  # of an earlier job with the same name
    known = {one.get("index"): one for one in status(job).get("attempts") or ()}
    if index in known:
        return moment(known[index].get("ended"))
    is_forgotten = index <= int(status(job).get("attempt") or 0)
    return made if is_forgotten else None
