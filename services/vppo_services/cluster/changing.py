"""Changes of VPPOJobs that people ask for: by the rules of the archive, only if nothing changed
meanwhile, and with a line in the history."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from vppo_core.archive.change_rules import Change, change_of, check_version, deletion_asked
from vppo_core.archive.database import Database
from vppo_core.archive.errors import (
    JobNotFoundError,
    NotAllowedNowError,
    StaleVersionError,
    StoreUnavailableError,
)
from vppo_core.archive.events import NewEvent, add_event
from vppo_core.archive.jobs import get_job
from vppo_core.archive.records import JobChanges, JobRecord
from vppo_core.errors import InvalidSpecError
from vppo_core.kube.annotations import is_reserved
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import KubeConflictError, KubeNotFoundError
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_services.cluster.answers import answered
from vppo_services.cluster.objects import record_of

TRIES: Final = 8
"""The operator writes a job's status every now and then; a change that meets it begins anew."""

_log: Final = logging.getLogger(__name__)


class Changer:
    """Changes and deletes objects."""

    def __init__(self, kube: KubeApi, db: Database) -> None:
        self._kube = kube
        self._db = db

    def patch(
        self,
        namespace: str,
        name: str,
        changes: JobChanges,
        *,
        actor: str,
        now: datetime,
        if_version: int | None,
    ) -> JobRecord:
        """The job with these changes.

        Raises:
            JobNotFoundError, StaleVersionError, NotAllowedNowError, InvalidSpecError,
            StoreUnavailableError.
        """
        for _ in range(TRIES):
            live = self._get(namespace, name)
            if live is None:
                return self._patch_archived(
                    namespace, name, changes, actor=actor, if_version=if_version
                )
            before = record_of(live)
            _check_annotations(changes, before)
            check_version(before, if_version)
            change = change_of(before, changes, actor=actor)
            if change is None:
                return before
            after = self._write(
                live, _merge_patch(change, changes), is_exact=if_version is not None
            )
            if after is not None:
                record = record_of(after)
                self._note(record, change.events, now)
                return record
        raise StoreUnavailableError(
            f"job '{name}' must hold still for a moment, got {TRIES} changes of others; try again"
        )

    def delete(self, namespace: str, name: str, *, actor: str, now: datetime) -> JobRecord:
        """The job, to be deleted from now on. Asking twice changes nothing.

        Raises:
            JobNotFoundError, StoreUnavailableError.
        """
        live = self._get(namespace, name)
        if live is None:
            return get_job(self._db, name, namespace=namespace)
        before = record_of(live)
        if before.deletion_requested is not None:
            return before
        with answered(), suppress(KubeConflictError):  # another one of that name by now
            self._kube.delete(VPPO_JOBS, namespace, name, uid=before.uid)
        self._note(before, [deletion_asked(before, actor=actor)], now)
        after = self._get(namespace, name)
        if after is not None and record_of(after).uid == before.uid:
            return record_of(after)
        return _gone(before, now)

    def _get(self, namespace: str, name: str) -> KubeObject | None:
        with answered():
            return self._kube.get(VPPO_JOBS, namespace, name)

    def _write(
        self, live: KubeObject, patch: dict[str, Any], *, is_exact: bool
    ) -> KubeObject | None:
        """The object after the patch; None when it has to be read again."""
        meta = live["metadata"]
        patch["metadata"]["resourceVersion"] = meta["resourceVersion"]
        patch["metadata"]["uid"] = meta["uid"]
        with answered():
            try:
                return self._kube.patch(VPPO_JOBS, meta["namespace"], meta["name"], patch)
            except KubeNotFoundError:
                return None
            except KubeConflictError:
                if is_exact:
                    raise StaleVersionError(
                        f"If-Match must be the job's version, got {meta['resourceVersion']}, and "
                        "it changed meanwhile; read the job again and repeat the change"
                    ) from None
                return None

    def _patch_archived(
        self,
        namespace: str,
        name: str,
        changes: JobChanges,
        *,
        actor: str,
        if_version: int | None,
    ) -> JobRecord:
        """A job that is gone from the cluster stays as it is."""
        before = get_job(self._db, name, namespace=namespace)
        check_version(before, if_version)
        if change_of(before, changes, actor=actor) is None:
            return before
        raise NotAllowedNowError(
            f"a job that is deleted must stay as it is, got a change of '{name}'; "
            "clone the job to run it again"
        )

    def _note(self, record: JobRecord, events: Sequence[NewEvent], now: datetime) -> None:
        """Leave lines in the history, who asked for what. The change is made, with or without."""
        try:
            for event in events:
                add_event(
                    self._db,
                    uid=record.uid,
                    actor=event.actor,
                    kind=event.kind,
                    reason=event.reason,
                    message=event.message,
                    payload=event.payload,
                    now=now,
                )
        except (JobNotFoundError, StoreUnavailableError) as error:
            reasons = ", ".join(event.reason for event in events)
            _log.warning(
                "the history of job '%s' lacks %s by %s (%s)",
                record.name,
                reasons,
                events[0].actor if events else "",
                error,
            )


def _check_annotations(changes: JobChanges, before: JobRecord) -> None:
    for name, text in (changes.annotations or {}).items():
        if is_reserved(name) and text != before.annotations.get(name, ""):
            raise InvalidSpecError(
                f"metadata.annotations must not change what the program writes, got '{name}'; "
                "leave it out"
            )


def _merge_patch(change: Change, changes: JobChanges) -> dict[str, Any]:
    meta = {
        field: dict(asked)
        for field, asked in (("labels", changes.labels), ("annotations", changes.annotations))
        if asked
    }
    return {"metadata": meta, **({"spec": change.scalars} if change.scalars else {})}


def _gone(before: JobRecord, now: datetime) -> JobRecord:
    """A job that nothing held: its object went at once."""
    return replace(before, deletion_requested=now, released=now)
