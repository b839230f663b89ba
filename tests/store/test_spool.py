"""What the spool keeps survives kills at every byte; what it never promised is cut off."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.store.spool import MARK, Position, Spool, SpoolError, SpoolFull

ROOMY = 10**6


def kept(spool: Spool) -> list[str]:
    """Every payload that waits, drained in small bites."""
    found = []
    while records := spool.read(most_bytes=50):
        found += [record.payload.decode() for record in records]
        spool.drained(records)
    return found


def keep(spool: Spool, *texts: str) -> None:
    spool.append([(text.encode(), 1) for text in texts])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("0*.spool")}


def test_what_is_kept_comes_back_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=ROOMY, segment_bytes=120)
    for n in range(20):
        keep(spool, f"alert {n}", f"second of {n}")
    assert spool.waiting == 40
    assert len(files(tmp_path)) > 1
    assert kept(spool) == [text for n in range(20) for text in (f"alert {n}", f"second of {n}")]
    assert (spool.waiting, len(files(tmp_path))) == (0, 1)
    spool.close()


def test_it_survives_its_process(tmp_path: Path) -> None:
    first = Spool(tmp_path, limit=ROOMY)
    keep(first, "one", "two", "three")
    records = first.read()
    first.drained(records[:1])
    first.close()
    second = Spool(tmp_path, limit=ROOMY)
    assert second.id == first.id
    second.resume(str(records[0].end))
    assert second.waiting == 2
    assert kept(second) == ["two", "three"]
    second.close()


def test_a_position_that_was_told_is_never_told_again(tmp_path: Path) -> None:
    seen: list[Position] = []
    for n in range(6):
        spool = Spool(tmp_path, limit=ROOMY)
        keep(spool, f"alert {n}")
        records = spool.read()
        assert all(records[-1].end > before for before in seen)
        seen.append(records[-1].end)
        spool.drained(records)
        spool.close()


@settings(max_examples=12, deadline=None)
@given(
    texts=st.lists(st.text(alphabet="aé🚨\n", max_size=12), min_size=1, max_size=6),
    share=st.floats(0, 1),
    segment=st.integers(60, 200),
)
def test_a_kill_at_any_byte_costs_nothing_that_was_promised(texts: list[str], share: float, segment: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        spool = Spool(here, limit=ROOMY, segment_bytes=segment)
        promised = [_killed_after(spool, texts[:n], text, share) for n, text in enumerate(texts)]
        spool.close()
        assert all(promised)


def _killed_after(spool: Spool, before: Sequence[str], text: str, share: float) -> bool:
    """Whether a copy of the spool, killed part-way through keeping `text`, still has everything before it."""
    old = files(spool.folder)
    keep(spool, text)
    new = files(spool.folder)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in new.items():
            was = len(old.get(name, b""))
            (Path(folder) / name).write_bytes(data[: was + int(share * (len(data) - was))])
        killed = Spool(Path(folder), limit=ROOMY)
        keep(killed, "after")
        found = kept(killed)
        killed.close()
    return found in ([*before, "after"], [*before, text, "after"])


def test_every_byte_of_the_last_record_may_be_the_last(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit=ROOMY)
    keep(spool, "promised", "torn")
    spool.close()
    whole = files(tmp_path / "spool")["00000001.spool"]
    for length in range(len(whole)):
        (copy := tmp_path / "copy").mkdir()
        (copy / "00000001.spool").write_bytes(whole[:length])
        torn = Spool(copy, limit=ROOMY)
        assert kept(torn) == (["promised"] if length >= whole.rindex(MARK) else [])
        keep(torn, "next")
        assert kept(torn) == ["next"]
        torn.close()
        shutil.rmtree(copy)


def test_a_kill_between_the_database_and_the_files_drains_nothing_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=ROOMY)
    keep(spool, "one")
    told = spool.read()[-1].end  # the database has this position; the files were not told any more
    spool.close()
    again = Spool(tmp_path, limit=ROOMY)
    again.resume(str(told))
    assert (again.waiting, again.read()) == (0, [])
    keep(again, "two")
    again.resume(str(told))
    assert kept(again) == ["two"]
    again.close()


def test_a_damaged_record_costs_itself_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=ROOMY)
    keep(spool, "one", "two", "three")
    spool.close()
    path = tmp_path / "00000001.spool"
    path.write_bytes(path.read_bytes().replace(b"two", b"tvo"))
    mended = Spool(tmp_path, limit=ROOMY)
    assert kept(mended) == ["one", "three"]
    mended.close()


def test_damage_while_it_runs_is_given_up_and_said(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=ROOMY)
    keep(spool, "one")
    path = tmp_path / "00000001.spool"
    path.write_bytes(path.read_bytes().replace(b"one", b"eno"))
    assert (spool.waiting, spool.read(), spool.waiting) == (1, [], 0)
    keep(spool, "two")
    assert kept(spool) == ["two"]
    spool.close()


def test_it_is_full_at_its_limit_and_keeps_all_of_a_body_or_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=100)
    keep(spool, "a" * 20)
    with pytest.raises(SpoolFull, match="is full: 1 alerts wait"):
        keep(spool, "b", "c" * 40)
    assert kept(spool) == ["a" * 20]
    keep(spool, "b", "c")
    spool.close()


def test_after_a_disk_that_refused_the_next_record_is_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=ROOMY)
    keep(spool, "one")
    assert spool._file is not None
    readonly = os.open(tmp_path / "00000001.spool", os.O_RDONLY)
    os.dup2(readonly, spool._file)
    os.close(readonly)
    with pytest.raises(SpoolError, match="cannot be written"):
        keep(spool, "lost, and said so")
    keep(spool, "two")
    assert kept(spool) == ["one", "two"]
    spool.close()


def test_one_process_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=ROOMY)
    with pytest.raises(SpoolError, match="another tocsin uses it"):
        Spool(tmp_path, limit=ROOMY)
    spool.close()
    Spool(tmp_path, limit=ROOMY).close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="let Tocsin's user write there"):
        Spool(tmp_path / "file" / "spool", limit=ROOMY)


def test_a_position_reads_back_as_it_was_written() -> None:
    assert Position.parse(str(Position(12, 345))) == Position(12, 345)
