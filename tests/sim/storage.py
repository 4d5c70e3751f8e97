"""Objects in memory: their versions, who hears of them, and how they go."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.sim.merge import copied, timestamp
from vppo_core.kube.api import KubeObject
from vppo_core.kube.kinds import NAMESPACES, PODS, Kind

FOREGROUND = "foregroundDeletion"

Key = tuple[Kind, str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What a watcher of everything hears."""

    type: str
    """`ADDED`, `MODIFIED` or `DELETED`."""

    kind: Kind
    object: KubeObject


Changes = list[Change]


class Records:
    """The part of an API server that is not asked: storage, deletion, garbage collection."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._objects: dict[Key, KubeObject] = {}
        self.version = 0
        """The newest resourceVersion."""

        self._listeners: list[Changes] = []
        self.lock = threading.RLock()
        self.collects_garbage = True
        """False: what belonged to a deleted object stays until `collect_garbage()`."""

        self.pods_linger = False
        """True: a deleted pod stays, with its deletionTimestamp, until it is removed."""

    def subscribe(self) -> Changes:
        """A list that every later change is appended to; who reads it empties it."""
        heard: Changes = []
        self._listeners.append(heard)
        return heard

    def collect_garbage(self) -> None:
        """Delete what belongs to objects that are gone, until nothing is left to delete."""
        with self.lock:
            while self._collect_once():
                pass

    def sweep(self) -> None:
        """Collect garbage, if that is to be done at once."""
        if self.collects_garbage:
            self.collect_garbage()

    def _collect_once(self) -> bool:
        uids = {one["metadata"]["uid"] for one in self._objects.values()}
        went = False
        for key, one in list(self._objects.items()):
            head = one["metadata"]
            owners = head.get("ownerReferences") or []
            is_orphan = bool(owners) and not any(ref["uid"] in uids for ref in owners)
            is_homeless = self._ends(key)
            if (is_orphan or is_homeless) and "deletionTimestamp" not in head:
                self.ask_to_go(key, in_foreground=False)
                went = True
            elif FOREGROUND in head.get("finalizers", []) and key in self._objects:
                went |= self._go_on_in_foreground(key)
        return went

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def _ends(self, key: Key) -> bool:
        home = self._objects.get((NAMESPACES, "", key[1])) if key[1] else None
        return home is not None and "deletionTimestamp" in home["metadata"]

    def _go_on_in_foreground(self, key: Key) -> bool:
        head = self._objects[key]["metadata"]
        dependents = [other for other in self._objects if self._blocks(other, head["uid"])]
        asked = False
        for other in dependents:
            if "deletionTimestamp" not in self._objects[other]["metadata"]:
                self.ask_to_go(other, in_foreground=True)
                asked = True
        if not any(other in self._objects for other in dependents):
            new = copied(self._objects[key])
            new["metadata"]["finalizers"].remove(FOREGROUND)
            self.store("MODIFIED", key, new)
            self.let_go(key)
            return True
        return asked

    def _blocks(self, key: Key, owner: str) -> bool:
        owners = self._objects[key]["metadata"].get("ownerReferences") or []
        return any(ref["uid"] == owner and ref.get("blockOwnerDeletion") for ref in owners)

    def ask_to_go(self, key: Key, *, in_foreground: bool) -> None:
        """Delete at once, or note the wish where something holds the object."""
        new = copied(self._objects[key])
        head = new["metadata"]
        if in_foreground and FOREGROUND not in head.get("finalizers", []):
            head["finalizers"] = [*head.get("finalizers", []), FOREGROUND]
        waits = head.get("finalizers") or self._lingers(key)
        if not waits:
            self.drop(key)
        elif "deletionTimestamp" not in head:
            head |= {
                "deletionTimestamp": timestamp(self._now()),
                "deletionGracePeriodSeconds": 0,
                "generation": head["generation"] + 1,
            }
            self.store("MODIFIED", key, new)
        elif new != self._objects[key]:
            self.store("MODIFIED", key, new)

    def _lingers(self, key: Key) -> bool:
        if key[0] == NAMESPACES:
            return any(other[1] == key[2] for other in self._objects)
        return key[0] == PODS and self.pods_linger

    def let_go(self, key: Key) -> None:
        """Remove an object that is to go and that nothing holds any more."""
        head = self._objects[key]["metadata"]
        if "deletionTimestamp" in head and not head.get("finalizers") and not self._lingers(key):
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Remove an object, whatever holds it."""
        old = self._objects.pop(key, None)
        if old is None:
            return
        old["metadata"]["resourceVersion"] = self._next_version()
        self._tell("DELETED", key[0], old)
        home = (NAMESPACES, "", key[1])
        if key[1] and self._ends(key) and not self._lingers(home):
            self.drop(home)

    def store(self, type_: str, key: Key, new: KubeObject) -> None:
        """Write an object under a new version."""
        new["metadata"]["resourceVersion"] = self._next_version()
        self._objects[key] = new
        self._tell(type_, key[0], new)

    def _tell(self, type_: str, kind: Kind, body: KubeObject) -> None:
        for heard in self._listeners:
            heard.append(Change(type_, kind, copied(body)))
