"""Makes every demo model and data set ahead of time, with a progress bar for each."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vppo_core.errors import InvalidDataError
from vppo_services.demo.ensure import cache_folder, names, resolve


def main() -> int:
    """Make what is missing; 0, or the exit code of the error that stopped it."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console) as progress:
            for source in names():
                task = progress.add_task(source, total=1)

                def show(_: str, done: int, total: int, task: int = task) -> None:
                    progress.update(task, completed=done, total=total)  # type: ignore[arg-type]

                resolve(source, show)
                progress.update(task, total=1, completed=1)
    except InvalidDataError as error:
        console.print(str(error), style="red", markup=False)
        return error.exit_code
    console.print(f"made in {cache_folder()}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
