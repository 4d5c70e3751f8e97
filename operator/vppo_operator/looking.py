"""One look at a job, in a thread, with the job's name on every log line."""

from vppo_core.logs import about
from vppo_operator.reconcile import Reconciler
from vppo_operator.wake_ups import Job


def look_at(reconciler: Reconciler, job: Job) -> float | None:
    """Seconds until it wants to look again; None means only on a change.

    Raises:
        KubeError, StoreUnavailableError, OSError, ValueError: not everything was done.
    """
    namespace, name = job
    with about(namespace=namespace, job=name):
        return reconciler.reconcile(namespace, name)
