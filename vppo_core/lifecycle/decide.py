"""The life of a job: what is known of it in, what is to be recorded and done out.

    Pending ──> Queued ──> Starting ──> Running ────────────────────> Succeeded
                  ▲           ▲            │
                  │           │  lost      │  asked      ┌──────────> Cancelled
                  │           ├────────────┼──> Stopping ┼──────────> Failed (deadline)
                  │           │  back-off  │             └──> Paused
                  │           └─ Retrying ─┤                    │
                  │                        └────────────────────┼───> Failed (no retry,
                  └──────────────── resumed ────────────────────┘     or budget spent)

Nothing is remembered between two passes but what the plan records, so a pass may be lost or done
twice. An attempt is written down before it is started; one that was written down and never
launched is started again under its own index. The next attempt waits until nothing of the last one
is left: there are never two. A stop that was asked for is carried through, whatever is wanted by
then. Success wins over every wish; final phases are never left.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from vppo_core.lifecycle.actions import Action, ArchiveJob, ExpireJob, Plan, ReleaseJob
from vppo_core.lifecycle.attempts import recorded_attempts
from vppo_core.lifecycle.course import Course
from vppo_core.lifecycle.events import events_between
from vppo_core.lifecycle.following import delete, with_attempt
from vppo_core.lifecycle.observed import Observed
from vppo_core.lifecycle.phases import condition, status_after
from vppo_core.lifecycle.resting import without_attempt
from vppo_core.spec.status import AttemptStatus, ConditionType, JobPhase, VPPOJobStatus


def decide(observed: Observed) -> Plan:
    """What is to be recorded of the job, then done about it; nothing where all is as it should."""
    course = _course(observed, recorded_attempts(observed))
    status = status_after(observed, course)
    afterwards, expiry = _after_the_end(observed, status)
    due = [moment for moment in (*course.look_again, *expiry) if moment > observed.now]
    return Plan(
        status=status,
        attempts=course.attempts,
        actions=(*course.actions, *afterwards),
        events=events_between(observed, course, status),
        requeue_after_seconds=(min(due) - observed.now).total_seconds() if due else None,
    )


def _course(observed: Observed, attempts: tuple[AttemptStatus, ...]) -> Course:
    live = [state for state in observed.attempts if state.is_live]
    last = attempts[-1].index if attempts else 0
    if observed.status.phase.is_final:
        actions = delete(live, "Finished")
        return Course(phase=observed.status.phase, attempts=attempts, actions=actions)
    followed = next((state for state in live if state.record.index == last), None)
    doomed = [state for state in live if state is not followed]
    if followed is not None:
        course = with_attempt(observed, attempts, followed)
    elif doomed:
        course = Course(phase=JobPhase.STOPPING, attempts=attempts)
    else:
        return without_attempt(observed, attempts)
    actions = (*delete(doomed, "Superseded"), *course.actions)
    return replace(course, actions=actions, is_doubled=bool(doomed))


def _after_the_end(
    observed: Observed, status: VPPOJobStatus
) -> tuple[tuple[Action, ...], tuple[datetime, ...]]:
    """What is left to do about a job in a final phase, and when its files expire."""
    if not status.phase.is_final or any(state.is_live for state in observed.attempts):
        return (), ()
    actions: list[Action] = [] if observed.is_archived else [ArchiveJob()]
    if observed.deletion_requested is not None:
        actions.append(ReleaseJob())
    finished = condition(status, ConditionType.FINISHED)
    since = finished.last_transition_time if finished else observed.now
    expiry = since + timedelta(seconds=observed.spec.ttl_seconds_after_finished)
    if observed.now >= expiry:
        actions.append(ExpireJob())
    return tuple(actions), (expiry,)
