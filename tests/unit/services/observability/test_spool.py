import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from vppo_services.observability.spool import Spool

ROOMY = 2**20


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """A disk that is full: no file of this process grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def drain(spool: Spool, limit: int = 3) -> list[int]:
    taken: list[int] = []
    while (batch := spool.peek(limit)).records:
        taken += [record["n"] for record in batch.records]
        spool.commit(batch.ends[-1])
    return taken


@given(
    actions=st.lists(
        st.sampled_from(["append", "send", "send-one", "restart"]), min_size=1, max_size=60
    )
)
@settings(max_examples=60, deadline=None)
def test_every_record_is_delivered_once_and_in_order_across_restarts(actions: list[str]) -> None:
    with TemporaryDirectory() as name:
        spool = Spool(Path(name), max_bytes=ROOMY)
        made = 0
        got: list[int] = []
        for action in actions:
            if action == "append":
                assert spool.append({"n": made, "text": "x" * 1500})
                made += 1
            elif action == "restart":
                spool.close()
                spool = Spool(Path(name), max_bytes=ROOMY)
            else:
                batch = spool.peek(1 if action == "send-one" else 4)
                if batch.records:
                    got += [record["n"] for record in batch.records]
                    spool.commit(batch.ends[-1])
            assert spool.pending == made - len(got)
        got += drain(spool)
        spool.close()
        assert got == list(range(made))
        assert spool.dropped == 0


@given(records=st.integers(1, 400), sent=st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_a_full_spool_drops_its_oldest_records_and_counts_them(records: int, sent: int) -> None:
    with TemporaryDirectory() as name:
        spool = Spool(Path(name), max_bytes=64 * 1024)
        got: list[int] = []
        for n in range(records):
            spool.append({"n": n, "text": "x" * 1000})
            if n == sent:
                got += drain(spool)
        assert sum(path.stat().st_size for path in Path(name).glob("*.jsonl")) <= 64 * 1024
        got += drain(spool)
        spool.close()
        assert got == sorted(set(got))
        assert got[-1] == records - 1
        assert len(got) + spool.dropped == records


def test_a_batch_that_was_dropped_while_it_was_sent_is_not_committed_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=64 * 1024)
    spool.append({"n": 0})
    batch = spool.peek(10)
    for n in range(1, 200):
        spool.append({"n": n, "text": "x" * 1000})
    waiting = spool.pending
    spool.commit(batch.ends[-1])
    assert spool.pending == waiting


def test_a_record_torn_by_a_kill_is_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=ROOMY)
    spool.append({"n": 0})
    spool.close()
    with (tmp_path / "00000001.jsonl").open("a") as file:
        file.write('{"n": 1, "te')
    spool = Spool(tmp_path, max_bytes=ROOMY)
    spool.append({"n": 2})
    assert drain(spool) == [0, 2]


def test_a_damaged_line_reads_as_an_empty_record(tmp_path: Path) -> None:
    (tmp_path / "00000001.jsonl").write_text('{"n": 0}\n#?!\n{"n": 2}\n')
    assert Spool(tmp_path, max_bytes=ROOMY).peek(9).records == [{"n": 0}, {}, {"n": 2}]


def test_an_unreadable_position_delivers_all_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=ROOMY)
    spool.append({"n": 0})
    drain(spool)
    spool.close()
    (tmp_path / "sent.json").write_text("{")
    assert drain(Spool(tmp_path, max_bytes=ROOMY)) == [0]


def test_a_full_disk_is_counted_and_the_next_record_is_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=ROOMY)
    assert spool.append({"n": 0})
    with files_limited_to(100):
        assert not spool.append({"n": 1, "text": "x" * 1000})
    assert spool.append({"n": 2})
    assert spool.dropped == 1
    assert drain(spool) == [0, 2]


def test_a_folder_that_cannot_be_made_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool", max_bytes=ROOMY)
    assert not spool.append({"n": 0})
    assert spool.dropped == 2
    assert spool.pending == 0


def test_a_record_larger_than_a_segment_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=64 * 1024)
    assert not spool.append({"text": "x" * 5000})
    assert spool.dropped == 1


def test_delivered_records_of_the_newest_segment_can_be_read_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=ROOMY)
    spool.append({"n": 0})
    drain(spool)
    assert spool.retained() == [{"n": 0}]
