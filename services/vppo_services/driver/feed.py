"""Rows of the data set -> prompts in the object store; bad rows are set aside and counted."""

from collections.abc import Mapping
from typing import Any

from vppo_core.batch.axes import nbytes
from vppo_core.batch.prompts import PromptBatch
from vppo_services.data.prompts import PromptFactory
from vppo_services.data.quarantine import Quarantine
from vppo_services.data.rows import BadRowError, RowSource
from vppo_services.data.sampler import RowSampler
from vppo_services.transport.refs import BatchRef, put


class PromptFeed:
    """An endless, seeded, resumable stream of prompts."""

    def __init__(
        self,
        source: RowSource,
        factory: PromptFactory,
        sampler: RowSampler,
        quarantine: Quarantine,
        *,
        name: str,
    ) -> None:
        self._source = source
        self._factory = factory
        self._sampler = sampler
        self._name = name
        self.quarantine = quarantine

    def next(self, count: int) -> list[BatchRef[PromptBatch]]:
        """The next `count` good prompts, each a batch of its own.

        Raises:
            QuarantineLimitError: too large a share of the rows seen was bad.
        """
        prompts: list[BatchRef[PromptBatch]] = []
        while len(prompts) < count:
            for index, visit in self._sampler.next(count - len(prompts)):
                prompt = self._make(index, visit)
                if prompt is not None:
                    prompts.append(store(prompt))
        return prompts

    def _make(self, index: int, visit: int) -> PromptBatch | None:
        try:
            row = self._source[index]
            prompt = self._factory.make(row, visit)
        except BadRowError as bad:
            self.quarantine.set_aside(bad, source=self._name)
            return None
        self.quarantine.saw_good(row.uid, visit)
        return prompt

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to go on with the very next row."""
        return {"sampler": self._sampler.state(), "quarantine": self.quarantine.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._sampler.restore(state["sampler"])
        self.quarantine.restore(state["quarantine"])


def store(prompt: PromptBatch) -> BatchRef[PromptBatch]:
    """A prompt in the object store."""
    return put(prompt, rows=len(prompt), num_bytes=nbytes(prompt), policy_version=0)
