"""`vppo plan`: what would happen if a job were submitted."""

from typing import TYPE_CHECKING

from rich.text import Text

from vppo_services.cli.door import Door
from vppo_services.cli.files import read_submission
from vppo_services.cli.options import JobFile, Set, TreeFormat, TreeOutput
from vppo_services.cli.output import print_document, print_notes
from vppo_services.cli.show import plain
from vppo_services.cli.views.times import span

if TYPE_CHECKING:
    from vppo_services.cli.client.shapes import Plan


def plan(
    door: Door, *, file: JobFile, set_: Set = None, output: TreeOutput = TreeFormat.TEXT
) -> None:
    """Show what a job would take: queue, GPUs, time, price. Nothing is created."""
    document = read_submission(file, set_ or ())
    with door.client() as client:
        found = client.plan(document)
    if output is not TreeFormat.TEXT:
        print_document(plain(found), output.value)
        return
    facts = _facts(found)
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        door.console.print(Text.assemble((f"{name:<{width}}  ", "bold"), value), soft_wrap=True)
    print_notes(found.warnings)


def _facts(plan: "Plan") -> list[tuple[str, str]]:
    queue, price, spec = plan.queue, plan.price, plan.job.spec
    place = "free now" if queue.is_free else f"{queue.waiting} waiting"
    seconds = plan.estimated_seconds
    facts = [
        ("job", plan.job.metadata.name or "(the server will name it)"),
        ("model", spec.model.source),
        ("data", spec.data.source),
        ("steps", str(spec.learner.num_steps)),
        ("queue", f"{queue.name} on pool {queue.pool}, {place}"),
        ("gpus", str(plan.gpus)),
        ("time", "unknown: no job like it has finished" if seconds is None else span(seconds)),
    ]
    if price is not None and price.per_hour is not None:
        whole = "" if price.estimated is None else f", {price.estimated:.2f} in all"
        facts.append(("price", f"{price.per_hour:.2f} an hour{whole}"))
    return [*facts, ("hash", plan.plan_hash)]
