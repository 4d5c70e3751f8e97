"""When a request that failed is tried again, and how long later."""

from dataclasses import dataclass

from vppo_services.cli.client.problems import INTERRUPTED, UNREACHABLE, ApiProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Tries and waits of one request."""

    tries: int = 4
    """Requests in all, the first one included."""

    first_seconds: float = 0.2
    """Wait before the second try; it doubles from there."""

    longest_seconds: float = 30.0
    """Longest wait; a server that asks for more is believed, and its answer is the error."""

    def wait(self, tried: int, problem: ApiProblem, *, is_repeatable: bool) -> float | None:
        """Seconds until the next try; None when the problem stands.

        Args:
            tried: requests made so far.
            is_repeatable: whether the request may be carried out twice without harm.
        """
        if tried >= self.tries or not _may_repeat(problem, is_repeatable=is_repeatable):
            return None
        asked = problem.facts.retry_after_seconds
        if asked is None:
            return min(self.first_seconds * 2.0 ** (tried - 1), self.longest_seconds)
        return asked if asked <= self.longest_seconds else None


def _may_repeat(problem: ApiProblem, *, is_repeatable: bool) -> bool:
    # Refused for now, or never sent: nothing was done.
    if problem.status in (429, 503) or problem.code == UNREACHABLE:
        return True
    return is_repeatable and (problem.status in (502, 504) or problem.code == INTERRUPTED)
