"""Runs everything once: programs, a job, a Prometheus; then asks."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.dashboards.live.asking import Answer, ask, questions
from tests.dashboards.live.machine import (
    JOB,
    STEPS,
    config,
    free_api_port,
    job_text,
    operator_page,
    serving,
)
from tests.dashboards.live.pages import Pages
from tests.dashboards.live.prometheus import Prometheus, prometheus
from tests.dashboards.live.readiness import START_SECONDS
from tests.dashboards.live.recorded import recorded_pages

# Ray's agents get new values every ten seconds.
WINDOW: Final = "30s"
STEP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Found:
    """What was asked and answered, and what else is wrong."""

    answers: list[Answer]
    samples: dict[str, int]  # of the largest scrape, by scrape job
    faults: list[str]

    @property
    def is_good(self) -> bool:
        """Whether nothing is empty and nothing else is wrong."""
        return not self.faults and not any(one.is_empty for one in self.answers)


def check(folder: Path, say: Callable[[str], object]) -> Found:
    """One job of a few steps, watched; takes about two minutes."""
    api = free_api_port()
    with recorded_pages() as recorded, operator_page(folder) as operator:
        settings = config(api=api, operator=operator, recorded=recorded)
        with prometheus(folder, settings) as server:
            start = time.time()
            with serving(folder, api) as machine:
                # Counters are read once before anything is counted: growth needs a first value.
                server.await_series("vppo_queue_wait_seconds_count", START_SECONDS)
                say(f"a job of {STEPS} steps runs under Prometheus ...")
                machine.submit(job_text())
                pages = Pages(
                    [f"{machine.client.base_url}/metrics", f"http://127.0.0.1:{operator}"]
                )
                machine.run(JOB, meanwhile=lambda: pages.look(machine.pages()))
                time.sleep(3.0)
                end = time.time()
                faults = [*_faults(server, start, end), *pages.faults]
            say("every expression is asked ...")
            seconds = int(end - start)
            macros = {
                "$__rate_interval": WINDOW,
                "$__interval": "2s",
                "$__range": f"{seconds}s",
            }
            asked = list(questions({"job_name": JOB}, macros))
            answers = ask(server, asked, start, end, STEP_SECONDS)
            samples = _samples(server, start, end)
    return Found(answers, samples, faults)


def _faults(server: Prometheus, start: float, end: float) -> list[str]:
    """Programs that could not be read, rules that could not be computed."""
    faults = [
        f"{target['labels']['job']} {target['scrapeUrl']}: {target['lastError']}"
        for target in server.ask("targets")["activeTargets"]
        if target["health"] == "down" and "vppo-r" not in target["labels"]["job"]
    ]
    for job in ("vppo-runs", "vppo-ray", "vppo-api", "vppo-operator"):
        if not server.series(f'up{{job="{job}"}} == 1', start, end, STEP_SECONDS):
            faults.append(f"{job}: no target was ever read")
    faults += [
        f"{rule['name']}: {rule['lastError']}"
        for group in server.ask("rules")["groups"]
        for rule in group["rules"]
        if rule["health"] == "err"
    ]
    return faults


def _samples(server: Prometheus, start: float, end: float) -> dict[str, int]:
    text = f"max by (job) (max_over_time(scrape_samples_scraped[{int(end - start)}s]))"
    found = server.ask("query", query=text, time=end)["result"]
    return {one["metric"]["job"]: int(float(one["value"][1])) for one in found}
