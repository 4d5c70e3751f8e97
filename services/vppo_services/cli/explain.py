"""`vppo explain`: why a job waits, or what it is doing."""

from rich.text import Text

from vppo_services.cli.door import Door
from vppo_services.cli.options import JobName, TreeFormat, TreeOutput
from vppo_services.cli.output import print_document
from vppo_services.cli.show import plain


def explain(door: Door, *, name: JobName, output: TreeOutput = TreeFormat.TEXT) -> None:
    """Say why a job waits, or what it is doing, and what would help."""
    with door.client() as client:
        found = client.explain(name)
    if output is not TreeFormat.TEXT:
        print_document(plain(found), output.value)
        return
    door.console.print(Text(found.sentence, "bold"), soft_wrap=True)
    for cause in found.causes:
        door.console.print(
            Text.assemble("- ", (cause.reason, "cyan"), f": {cause.message}"), soft_wrap=True
        )
    if found.hint:
        door.console.print(Text.assemble(("hint: ", "yellow"), found.hint), soft_wrap=True)
