"""Files, folders and bundles in and out; whatever is offered, only memories get in."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from universal_memory.memory import bundle, shelf
from universal_memory.memory.errors import StoreError
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore

Maker = Callable[..., MemoryFile]


def other_store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "colleague")


@pytest.mark.parametrize("target", ["out.tar", "folder", "deep/folder"])
def test_what_one_robot_exports_another_imports(
    store: MemoryStore, tmp_path: Path, make: Maker, target: str
) -> None:
    ids = [store.add(make(seed), Provenance(text="private words")) for seed in (1, 2, 3)]
    written = store.export(ids, tmp_path / target)
    assert all(b"private words" not in path.read_bytes() for path in written)
    colleague = other_store(tmp_path)
    report = colleague.import_path(tmp_path / target, source="robot one")
    assert (sorted(report.added), report.present, report.refused) == (sorted(ids), [], [])
    assert [colleague.get(i).to_bytes() for i in ids] == [store.get(i).to_bytes() for i in ids]
    record = colleague.record(ids[0])
    assert record is not None
    assert record.provenance == Provenance(source="robot one", imported=True)
    again = colleague.import_path(tmp_path / target)
    assert (again.added, sorted(again.present)) == ([], sorted(ids))


def test_one_file_and_the_same_bytes_every_time(
    store: MemoryStore, tmp_path: Path, make: Maker
) -> None:
    ids = [store.add(make(seed)) for seed in (1, 2)]
    assert store.export(ids[:1], tmp_path / "one.ump") == [tmp_path / "one.ump"]
    assert (tmp_path / "one.ump").read_bytes() == make(1).to_bytes()
    assert other_store(tmp_path).import_path(tmp_path / "one.ump").added == ids[:1]
    store.export(ids, tmp_path / "a.tar")
    store.export(ids[::-1], tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with pytest.raises(StoreError, match="2 memories do not fit"):
        store.export(ids, tmp_path / "two.ump")
    with pytest.raises(StoreError, match="nothing to export"):
        store.export([], tmp_path / "none.tar")


def test_refused_files_lie_in_quarantine_with_the_reason(
    store: MemoryStore, tmp_path: Path, make: Maker
) -> None:
    folder = tmp_path / "offered"
    (folder / "deeper").mkdir(parents=True)
    (folder / "good.ump").write_bytes(make(1).to_bytes())
    (folder / "deeper" / "cut.ump").write_bytes(make(2).to_bytes()[:1000])
    (folder / "huge.ump").write_bytes(b"x" * 1_000_000)
    (folder / "link.ump").symlink_to("/etc/hostname")
    (folder / "notes.txt").write_text("not offered")
    report = store.import_path(folder)
    assert report.added == [make(1).id]
    reasons = {Path(problem.name).name: problem.reason for problem in report.refused}
    assert set(reasons) == {"cut.ump", "huge.ump", "link.ump"}
    assert reasons["cut.ump"].startswith("malformed") and "oversize" in reasons["huge.ump"]
    notes = list((store.root / "quarantine").glob("*.json"))
    assert [json.loads(note.read_text())["reason"] for note in notes] == [reasons["cut.ump"]]
    assert notes[0].with_suffix(".ump").read_bytes() == make(2).to_bytes()[:1000]
    assert store.verify().problems == []


def test_quarantine_lists_what_it_holds_until_it_is_taken_in_or_thrown_out(
    store: MemoryStore, tmp_path: Path, make: Maker
) -> None:
    maker = Signer.generate()
    for seed in (1, 2):
        (tmp_path / f"{seed}.ump").write_bytes(make(seed, signer=maker).to_bytes())
    strict = MemoryStore(store.root, trusted={})
    reasons = [problem.reason for problem in strict.import_path(tmp_path).refused]
    assert all(reason.startswith(f"signature: signed by {maker.key_id}") for reason in reasons)
    kept = strict.quarantined()
    assert [file.name for file in kept] == [str(tmp_path / f"{seed}.ump") for seed in (1, 2)]
    assert [file.reason for file in kept] == reasons
    assert strict.ids() == [] and kept[0].path.read_bytes() == (tmp_path / "1.ump").read_bytes()
    # The maker is trusted now: what waits in quarantine is offered again.
    trusting = MemoryStore(store.root, trusted={maker.key_id: maker.public_key})
    assert trusting.import_path(kept[0].path).added == [make(1).id]
    assert [file.name for file in store.quarantined()] == [str(tmp_path / "2.ump")]
    assert (store.empty_quarantine(), store.quarantined()) == (1, [])
    assert list((store.root / "quarantine").iterdir()) == []


def test_export_signs_what_the_robot_made_and_nothing_else(
    store: MemoryStore, tmp_path: Path, make: Maker
) -> None:
    robot, other = Signer.generate(), Signer.generate()
    own = store.add(make(1), Provenance(text="seen myself"))
    others = store.add(make(2, signer=other), Provenance(imported=True))
    unsigned = store.add(make(3), Provenance(imported=True))
    store.export([own, others, unsigned], tmp_path / "out", robot)
    signed_by = {
        path.stem: MemoryFile.from_bytes(path.read_bytes()).key_id
        for path in (tmp_path / "out").iterdir()
    }
    assert signed_by == {own: robot.key_id, others: other.key_id, unsigned: ""}
    trusted = {signer.key_id: signer.public_key for signer in (robot, other)}
    colleague = MemoryStore(tmp_path / "colleague", trusted=trusted)
    report = colleague.import_path(tmp_path / "out")
    assert sorted(report.added) == sorted([own, others]) and len(report.refused) == 1
    assert not store.get(own).signature  # what is handed out is signed, not what is kept


def test_quarantine_is_bounded(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MAX_QUARANTINED", 3)
    for number in range(8):
        (tmp_path / f"{number}.ump").write_text(f"rubbish {number}")
    assert len(store.import_path(tmp_path).refused) == 8
    assert len(list((store.root / "quarantine").glob("*.ump"))) == 3


def hostile_bundle(path: Path, good: bytes) -> None:
    def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(good)
        if kind != tarfile.REGTYPE:
            info.size = 0
        return info

    with tarfile.open(path, "w") as archive:
        for name in ("../escape.ump", "/tmp/absolute.ump", "folder/inner.ump", "readme.txt"):
            archive.addfile(member(name), io.BytesIO(good))
        archive.addfile(member("link.ump", tarfile.SYMTYPE, "/etc/passwd"))
        archive.addfile(member("hard.ump", tarfile.LNKTYPE, "readme.txt"))
        archive.addfile(member("device.ump", tarfile.CHRTYPE))
        archive.addfile(member("folder.ump", tarfile.DIRTYPE))
        huge = tarfile.TarInfo("huge.ump")
        huge.size = 5_000_000
        archive.addfile(huge, io.BytesIO(bytes(huge.size)))
        archive.addfile(member("good.ump"), io.BytesIO(good))


def test_nothing_in_a_bundle_escapes(store: MemoryStore, tmp_path: Path, make: Maker) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    hostile_bundle(inside / "bundle.tar", make(1).to_bytes())
    before = {path for path in tmp_path.rglob("*") if store.root not in path.parents}
    report = store.import_path(inside / "bundle.tar")
    assert report.added == [make(1).id] and len(report.refused) == 9
    assert {path for path in tmp_path.rglob("*") if store.root not in path.parents} == before
    assert not Path("/tmp/absolute.ump").exists()


def test_bundles_that_are_none(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Maker
) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(b"this is not a tar file at all" * 50)
    with pytest.raises(StoreError, match=r"not a whole uncompressed tar bundle.*remedy"):
        store.import_path(path)
    with tarfile.open(path, "w:gz"):
        pass
    with pytest.raises(StoreError, match="not a whole uncompressed"):
        store.import_path(path)
    with pytest.raises(StoreError, match=r"cannot read .*check the path"):
        store.import_path(tmp_path / "missing.ump")
    monkeypatch.setattr(bundle, "MAX_BUNDLE_BYTES", 10)
    with pytest.raises(StoreError, match="more than 10"):
        store.import_path(path)


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=64))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_bundles_never_crash(
    tmp_path: Path, make: Maker, position: int, patch: bytes
) -> None:
    data = bytearray(bundle.bundle_bytes([make(1), make(2)]))
    data[position : position + len(patch)] = patch
    path = tmp_path / "damaged.tar"
    path.write_bytes(bytes(data))
    try:
        offered = list(bundle.candidates(path))
    except StoreError as error:
        assert "remedy" in str(error)
    else:
        assert all(len(candidate.data) <= 30_000 for candidate in offered)
