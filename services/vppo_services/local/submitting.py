"""What a request for a job is known by: the name that it gets, the hash that tells it apart."""

import hashlib
import json

from vppo_core.archive.records import IdempotencyKey
from vppo_core.lifecycle.names import generated_name, idempotent_name
from vppo_core.spec.hashing import canonical_json
from vppo_core.spec.job import VPPOJob


def new_name(job: VPPOJob, uid: str, idempotency: IdempotencyKey | None) -> str:
    """A name for a job that has none: the same for all requests with one key, else by the uid."""
    source = job.spec.model.source.rstrip("/").rpartition("/")[2]
    if idempotency is None:
        return generated_name(source, uid)
    return idempotent_name(source, idempotency.tenant, idempotency.key)


def body_hash(job: VPPOJob) -> str:
    """Of what was asked, defaults included, so that a default written out is the same request."""
    meta = job.metadata.model_dump(mode="json", by_alias=True)
    text = json.dumps(meta, sort_keys=True) + canonical_json(job.spec)
    return hashlib.sha256(text.encode()).hexdigest()
