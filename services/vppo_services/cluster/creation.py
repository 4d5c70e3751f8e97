"""Makes VPPOJobs so that a repeated request makes one: etcd is the lock, by the object's name."""

import hashlib
import json
import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vppo_core.archive.database import Database
from vppo_core.archive.errors import (
    IdempotencyConflictError,
    JobNotFoundError,
    NameTakenError,
    StoreUnavailableError,
)
from vppo_core.archive.idempotency import conflict, recall_key, remember_key
from vppo_core.archive.jobs import get_job
from vppo_core.archive.records import IdempotencyKey, JobRecord
from vppo_core.kube.annotations import BODY_HASH, KEY_HASH, OWNER
from vppo_core.kube.api import KubeApi, KubeObject
from vppo_core.kube.errors import AlreadyExistsError
from vppo_core.kube.kinds import VPPO_JOBS
from vppo_core.spec.job import VPPOJob
from vppo_core.spec.origin import REQUEST_ID, made_by, request_of
from vppo_services.cluster.answers import answered
from vppo_services.cluster.objects import meta_of, object_of, phase_of, record_of
from vppo_services.local.submitting import body_hash, new_name

TRIES: Final = 5
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for a job, and what it is known by."""

    job: VPPOJob
    """With its namespace; its name may be empty."""

    owner: str
    key: IdempotencyKey | None
    now: datetime
    request_id: str = ""
    """What log lines know it by."""

    @property
    def body_hash(self) -> str:
        """Of what was asked; the same key must come with the same one."""
        return body_hash(self.job)

    @property
    def key_hash(self) -> str:
        """Of caller and key; empty without a key."""
        if self.key is None:
            return ""
        return hashlib.sha256(json.dumps([self.key.tenant, self.key.key]).encode()).hexdigest()

    @property
    def annotations(self) -> dict[str, str]:
        """What the object carries of the request."""
        origin = request_of(made_by(self.job, self.request_id).metadata.annotations)
        found = {OWNER: self.owner} | ({REQUEST_ID: origin} if origin else {})
        return found | ({KEY_HASH: self.key_hash, BODY_HASH: self.body_hash} if self.key else {})


class Creator:
    """Makes objects, and remembers keys in the archive for when the objects are gone."""

    def __init__(self, kube: KubeApi, db: Database) -> None:
        self._kube = kube
        self._db = db

    def create(self, request: Request) -> tuple[JobRecord, bool]:
        """The job; the second value says whether it is that of an earlier request.

        Without an archive it works as well: replays are then known by the object alone.

        Raises:
            NameTakenError, IdempotencyConflictError, NotAllowedNowError, InvalidSpecError,
            StoreUnavailableError.
        """
        earlier = self._earlier(request)
        if earlier is not None:
            return earlier, True
        is_named = bool(request.job.metadata.name) or request.key is not None
        for _ in range(0 if is_named else TRIES - 1):
            with suppress(NameTakenError):  # by chance: generated names are short
                return self._make(request)
        return self._make(request)

    def _make(self, request: Request) -> tuple[JobRecord, bool]:
        meta = request.job.metadata
        name = meta.name or new_name(request.job, str(uuid.uuid4()), request.key)
        job = request.job.model_copy(update={"metadata": meta.model_copy(update={"name": name})})
        try:
            with answered():
                made = self._kube.create(VPPO_JOBS, object_of(job, request.annotations))
        except AlreadyExistsError:
            return self._existing(request, name), True
        return self._remembered(request, made)

    def _existing(self, request: Request, name: str) -> JobRecord:
        """The object of that name, if an earlier request with this key made it."""
        with answered():
            found = self._kube.get(VPPO_JOBS, request.job.metadata.namespace, name)
        notes = meta_of(found or {}).get("annotations") or {}
        if found is None or not request.key_hash or notes.get(KEY_HASH) != request.key_hash:
            phase = phase_of(found).value if found else "gone by now"
            raise NameTakenError(
                f"metadata.name must not be that of a job that exists, got '{name}' ({phase}); "
                "choose another name, or delete that job first"
            )
        if notes.get(BODY_HASH) != request.body_hash:
            raise conflict()
        return record_of(found)

    def _earlier(self, request: Request) -> JobRecord | None:
        if request.key is None:
            return None
        try:
            uid = recall_key(self._db, request.key, body_hash=request.body_hash, now=request.now)
        except StoreUnavailableError:
            return None
        return None if uid is None else self._archived(request, uid)

    def _archived(self, request: Request, uid: str) -> JobRecord | None:
        try:
            row = get_job(self._db, "", uid=uid, namespace=request.job.metadata.namespace)
        except (JobNotFoundError, StoreUnavailableError):
            return None  # too young for the archive: then the object is there
        with answered():
            live = self._kube.get(VPPO_JOBS, row.namespace, row.name)
        return record_of(live) if live is not None and meta_of(live).get("uid") == uid else row

    def _remembered(self, request: Request, made: KubeObject) -> tuple[JobRecord, bool]:
        """The job that was made, unless the same key made another one under another name at the
        same time: then that one, and this one goes."""
        record = record_of(made)
        if request.key is None:
            return record, False
        try:
            earlier = remember_key(
                self._db,
                request.key,
                body_hash=request.body_hash,
                uid=record.uid,
                now=request.now,
            )
        except StoreUnavailableError as error:
            _log.warning(
                "the key of job '%s' is known by its object alone (%s)", record.name, error
            )
            return record, False
        except IdempotencyConflictError:
            self._take_back(record)
            raise
        other = self._archived(request, earlier) if earlier is not None else None
        if other is None or other.uid == record.uid:
            return record, False
        self._take_back(record)
        return other, True

    def _take_back(self, record: JobRecord) -> None:
        with answered():
            self._kube.delete(VPPO_JOBS, record.namespace, record.name, uid=record.uid)
