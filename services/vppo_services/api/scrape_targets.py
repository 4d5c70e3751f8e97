"""`GET /metrics/targets`: where Prometheus finds the pages of this machine's runs."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from vppo_core.spec.base import SpecModel
from vppo_services.api.deps import AppStoreDep
from vppo_services.local.endpoints import PageKind

router = APIRouter(tags=["health"])

_ROLES: Final = {PageKind.RUNS: "driver", PageKind.RAY: "ray"}


class ScrapeTarget(SpecModel):
    """Pages to scrape, in the form of Prometheus' HTTP service discovery."""

    targets: tuple[str, ...]
    """Host and port of each."""

    labels: dict[str, str]
    """What their series are labelled with, and `__metrics_path__`."""


@router.get("/metrics/targets", summary="Pages of running jobs, for Prometheus' service discovery")
def get_scrape_targets(
    store: AppStoreDep,
    kind: Annotated[
        PageKind | None,
        Query(description="`runs`: pages of drivers; `ray`: of Ray's agents. Both if left out."),
    ] = None,
) -> tuple[ScrapeTarget, ...]:
    """For `http_sd_configs`, one scrape job for each kind. On a cluster pods are found by their
    labels, and this list is empty. No token is needed."""
    return tuple(
        ScrapeTarget(
            targets=(page.address,),
            labels={
                "job_name": page.job,
                "namespace": page.namespace,
                "attempt": str(page.attempt),
                "role": _ROLES[page.kind],
                "__metrics_path__": page.path,
            },
        )
        for page in store.run_pages()
        if kind in (None, page.kind)
    )
