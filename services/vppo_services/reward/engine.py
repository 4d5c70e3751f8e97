"""Answers in, rewards out, each within a hard time limit; no grader can wedge it."""

import logging
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Self

import numpy as np

from vppo_core.batch.scores import RewardBatch
from vppo_core.errors import ConsistencyError, RoleDiedError
from vppo_core.rewards.base import FAILURES, Reward, Verdict, combine
from vppo_core.spec.reward import RewardSpec
from vppo_services.reward.process import CLOSED, GraderError, GraderProcess

_log = logging.getLogger(__name__)
_START_SECONDS: Final = 120.0
_GRADE_TRIES: Final = 2
_START_TRIES: Final = 3
_Outcome = tuple[Reward, str]  # and why there is no verdict on the answer; empty where there is


class RewardEngine:
    """A pool of grading processes that can be killed. Safe to use from many threads.

    A grader that does not answer within `spec.timeout_seconds` is killed and replaced (verdict
    `timeout`); one that raises keeps its process (verdict `error`). Both score
    `spec.score_on_failure` with accuracy 0. When a process ends for another reason, such as want
    of memory, no answer is lost: it is graded once more, and only then an `error`. The clock runs
    while an answer is graded, not while a process starts. Processes die with their owner.

    Raises:
        InvalidSpecError: the grader cannot be loaded; found out here, in a process of the pool.
    """

    def __init__(
        self, spec: RewardSpec, workers: int = 1, *, start_timeout_seconds: float = _START_SECONDS
    ) -> None:
        self._spec = spec
        self._start_timeout_seconds = start_timeout_seconds
        self._processes = [GraderProcess(spec.grader) for _ in range(workers)]
        self._idle: queue.SimpleQueue[GraderProcess] = queue.SimpleQueue()
        self._counts: Counter[str] = Counter({verdict.value: 0 for verdict in Verdict})
        self._counts_lock = threading.Lock()
        # A process dies with the thread that started it; these threads live until close().
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="reward")
        try:
            list(self._threads.map(self._start, self._processes))
        except BaseException:
            self.close()
            raise
        for process in self._processes:
            self._idle.put(process)

    def grade(self, texts: Sequence[str], answers: Sequence[str]) -> RewardBatch:
        """Rewards of B answers, in their order.

        Args:
            texts: responses.
            answers: their references, one each.

        Raises:
            RoleDiedError: processes do not start any more, or the engine was closed meanwhile.
        """
        if len(texts) != len(answers):
            raise ConsistencyError(
                f"every response needs one reference, got {len(texts)} and {len(answers)}"
            )
        try:
            futures = [
                self._threads.submit(self._grade_one, text, answer)
                for text, answer in zip(texts, answers, strict=True)
            ]
            outcomes = [future.result() for future in futures]
        except (RuntimeError, CancelledError) as error:  # what a closed executor raises
            raise RoleDiedError(CLOSED) from error
        self._count(outcomes)
        rewards = [reward for reward, _ in outcomes]
        return RewardBatch(
            rewards=np.array([self._score(reward) for reward in rewards], dtype=np.float32),
            accuracies=np.array([reward.accuracy for reward in rewards], dtype=np.float32),
            verdicts=tuple(reward.verdict.value for reward in rewards),
        )

    def counts(self) -> dict[str, int]:
        """Answers graded so far, by verdict; every verdict is there."""
        with self._counts_lock:
            return dict(self._counts)

    def pids(self) -> list[int]:
        """Ids of the grading processes that are there now."""
        return [process.pid for process in self._processes if process.pid]

    def close(self) -> None:
        """End all processes; whoever waits for a grade gets RoleDiedError. Twice is no error."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.stop()
        self._threads.shutdown(wait=True)
        for process in self._processes:
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, process: GraderProcess) -> None:
        for tries_left in reversed(range(_START_TRIES)):
            try:
                process.ensure_started(self._start_timeout_seconds)
                return
            except RoleDiedError:
                if not tries_left:
                    raise

    def _grade_one(self, text: str, answer: str) -> _Outcome:
        limit = self._spec.timeout_seconds
        with self._borrowed() as process:
            for _ in range(_GRADE_TRIES):
                self._start(process)
                try:
                    return process.grade(text, answer, limit), ""
                except TimeoutError:
                    return Reward(0.0, 0.0, Verdict.TIMEOUT), f"no result within {limit:g} s"
                except GraderError as error:
                    return Reward(0.0, 0.0, Verdict.ERROR), str(error)
                except ConnectionError:
                    continue
        reason = f"the grading process ended {_GRADE_TRIES} times while it had this answer"
        return Reward(0.0, 0.0, Verdict.ERROR), reason

    @contextmanager
    def _borrowed(self) -> Iterator[GraderProcess]:
        process = self._idle.get()
        try:
            yield process
        finally:
            self._idle.put(process)

    def _score(self, reward: Reward) -> float:
        if reward.verdict in FAILURES:
            return self._spec.score_on_failure
        return combine(reward, self._spec.format_weight)

    def _count(self, outcomes: list[_Outcome]) -> None:
        with self._counts_lock:
            self._counts.update(reward.verdict.value for reward, _ in outcomes)
        reasons = [reason for _, reason in outcomes if reason]
        if reasons:
            _log.warning(
                "%d of %d answers could not be graded by '%s' and score %g; the first: %s",
                len(reasons),
                len(outcomes),
                self._spec.grader,
                self._spec.score_on_failure,
                reasons[0],
            )
