"""Which checkpoints the API can reach: those in object stores. A job's volume is its pods' own."""

from collections.abc import Sequence
from typing import Final

from vppo_core.archive.errors import NotAllowedNowError
from vppo_core.archive.records import CheckpointRecord

_OF_A_POD: Final = ("file", "local", "memory", "")


def check_reach(existing: Sequence[CheckpointRecord], step: int) -> None:
    """Go on only if the checkpoint of a step is not on a volume; one that is unknown passes.

    Raises:
        NotAllowedNowError.
    """
    found = next((one for one in existing if one.step == step), None)
    if found is None or scheme_of(found.uri) not in _OF_A_POD:
        return
    raise NotAllowedNowError(
        "a checkpoint must lie in an object store to be kept or removed from here, got "
        f"'{found.uri}' on the volume of the job's pods; set checkpoint.uri of the next job to "
        "s3://BUCKET/PREFIX or another fsspec address, or copy the folder"
    )


def scheme_of(uri: str) -> str:
    """`s3` of `s3://bucket/x`; empty for a path."""
    scheme, found, _ = uri.partition("://")
    return scheme if found else ""
