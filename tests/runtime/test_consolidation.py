"""Sleep: which files are merged, what is known of the outcome, and who answers afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sleepers import MINUTE, TEXTS, Sleeper

from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.answer import COMPILED
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.parted import PartedAdapter
from universal_memory.space.merging import MergeError


def groups_of(plan: object) -> list[list[str]]:
    return [[one.record.id for one in group] for group in plan.groups]  # type: ignore[attr-defined]


def parts_in(sleeper: Sleeper, store: MemoryStore, memory_id: str) -> list[list[int]]:
    usv = torch.from_numpy(store.get(memory_id).usv[None].copy())
    return sleeper.space.reader(usv).parts()[0]


def test_files_of_one_time_become_one_in_their_order(sleeper: Sleeper, store: MemoryStore) -> None:
    ids = sleeper.remember(store)
    consolidator = sleeper.consolidator(store)
    plan = consolidator.plan(3)
    groups = groups_of(plan)
    assert sorted(map(len, groups)) == [3, 3] and not plan.left
    assert sorted(one for group in groups for one in group) == sorted(ids)
    assert all(group == sorted(group, key=ids.index) for group in groups)
    written = consolidator.consolidate(plan)
    assert store.ids() == sorted(file.id for file in written)
    for file, group in zip(written, groups, strict=True):
        words = [list(sleeper.space.tower.token_ids(TEXTS[ids.index(one)])) for one in group]
        assert parts_in(sleeper, store, file.id) == words
    again = consolidator.plan(3)
    assert again.groups == [] and again.left == {"merged, not confirmed": 2}


def test_what_was_near_in_time_goes_together(sleeper: Sleeper, store: MemoryStore) -> None:
    morning = sleeper.remember(store, TEXTS[:2])
    evening = sleeper.remember(store, TEXTS[2:4], minutes=600.0)
    found = {frozenset(group) for group in groups_of(sleeper.consolidator(store).plan(2))}
    assert found == {frozenset(morning), frozenset(evening)}


def test_what_says_alike_goes_together(sleeper: Sleeper, store: MemoryStore) -> None:
    texts = ["Ben waters the plants.", "Anna drinks tea.", "Ben waters the fern.", "Anna eats it."]
    ids = sleeper.remember(store, texts, start_stamp=0)  # nobody knows when
    cosines = {
        (one, other): float(store.get(one).passport @ store.get(other).passport)
        for one in ids for other in ids if one != other
    }  # fmt: skip
    nearest = max(cosines, key=lambda pair: cosines[pair])
    assert cosines[nearest] > 0.1
    assert set(nearest) in [set(group) for group in groups_of(sleeper.consolidator(store).plan(2))]


def test_what_is_never_merged(
    sleeper: Sleeper, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sleeper.remember(store)
    foreign = sleeper.remember(store, ["A robot is here.", "A dog is there."], imported=True)
    long = sleeper.remember(store, ["so " * 63], start_stamp=MINUTE)
    marks = [SimpleNamespace(superseded=ids[0])]
    monkeypatch.setattr(store.ledger, "marks", lambda: marks, raising=False)
    plan = sleeper.consolidator(store).plan(8)
    members = {one for group in groups_of(plan) for one in group}
    assert members == set(ids[1:])
    assert plan.left == {
        "superseded": 1, "of another robot": 2, "nothing related has room beside it": 1,
    }  # fmt: skip
    asked = sleeper.consolidator(store).plan(8, imported=True)
    assert set(foreign) <= {one for group in groups_of(asked) for one in group}
    assert long[0] not in {one for group in groups_of(asked) for one in group}
    with pytest.raises(ValueError, match="allow 2 or more"):
        sleeper.consolidator(store).plan(1)


def test_where_it_came_from_is_where_all_came_from(sleeper: Sleeper, store: MemoryStore) -> None:
    first, second = sleeper.remember(store, TEXTS[:2])
    third = sleeper.remember(store, TEXTS[2:3], streams=("camera",), source="bag")[0]
    consolidator = sleeper.consolidator(store)
    (file,) = consolidator.consolidate(consolidator.plan(3))
    record, one, last = store.record(file.id), store.record(first), store.record(third)
    assert record is not None and one is not None and last is not None
    origin = record.provenance
    assert (origin.start_stamp, origin.end_stamp) == (
        one.provenance.start_stamp, max(
            store.record(i).provenance.end_stamp for i in (first, second, third)  # type: ignore
        ),
    )  # fmt: skip
    assert origin.streams == ("audio", "camera") and origin.source == "bag"
    assert set((origin.text or "").split()) == set(" ".join(TEXTS[:3]).split())
    assert not origin.imported and record.counter == 4
    (link,) = store.merged.all()
    assert set(link.originals) == {first, second, third}


def test_text_that_was_not_kept_is_not_made_up(sleeper: Sleeper, store: MemoryStore) -> None:
    sleeper.remember(store, TEXTS[:1])
    sleeper.remember(store, TEXTS[1:2], text=None)
    consolidator = sleeper.consolidator(store)
    (file,) = consolidator.consolidate(consolidator.plan(2))
    record = store.record(file.id)
    assert record is not None and record.provenance.text is None


def test_a_group_that_cannot_be_merged_stays(
    sleeper: Sleeper, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sleeper.remember(store)
    consolidator = sleeper.consolidator(store)
    plan = consolidator.plan(3)
    merge, calls = consolidator.merger.merge, []

    def refuse_first(usv: object) -> object:
        calls.append(usv)
        if len(calls) == 1:
            raise MergeError("no")
        return merge(usv)  # type: ignore[arg-type]

    monkeypatch.setattr(consolidator.merger, "merge", refuse_first)
    store.forget(groups_of(plan)[1][0])
    assert consolidator.consolidate(plan) == []
    assert plan.left == {"not readable in one file": 3, "forgotten meanwhile": 3}
    assert len(store) == len(ids) - 1


def test_answers_come_from_the_merged_file_and_after_an_undo_from_the_original(
    sleeper: Sleeper, store: MemoryStore, answerer: Answerer
) -> None:
    ids = sleeper.remember(store)
    answerer.index.synchronise(store)
    question = "Where is the key?"
    answerer.router.signs[question] = store.get(ids[0]).passport  # type: ignore[attr-defined]
    assert [hit.id for hit in answerer.answer(question, max_tokens=2, top_k=1).hits] == [ids[0]]
    consolidator = sleeper.consolidator(store)
    consolidator.consolidate(consolidator.plan(3))
    answerer.index.synchronise(store)  # as a running memory_server does
    (home,) = (one.id for one in store.merged.all() if ids[0] in one.originals)
    answerer.router.signs[question] = store.get(home).passport  # type: ignore[attr-defined]
    asked = answerer.router.ask(question)
    assert not set(ids) & {one for one, _ in answerer._finder.find(asked, 99, 0.0)}
    answer = answerer.answer(question, max_tokens=2, top_k=1)
    assert answer.source == COMPILED and [hit.id for hit in answer.hits] == [home]
    store.merged.undo()
    answerer.index.synchronise(store)
    answerer.router.signs[question] = store.get(ids[0]).passport  # type: ignore[attr-defined]
    assert [hit.id for hit in answerer.answer(question, max_tokens=2, top_k=1).hits] == [ids[0]]


def test_only_the_parts_that_are_asked_for_are_put_on(
    sleeper: Sleeper, store: MemoryStore, answerer: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper.remember(store, TEXTS[:3])
    consolidator = sleeper.consolidator(store)
    (file,) = consolidator.consolidate(consolidator.plan(3))
    answerer.index.synchronise(store)
    usv = torch.from_numpy(file.usv.copy())
    whole = answerer.renderer.render(usv)
    parted = PartedAdapter.render(answerer.renderer, sleeper.space.reader, usv)
    ranks = [int((parted.part == part).sum()) for part in range(3)]
    assert sum(ranks) == whole.rank and all(ranks)
    given: dict[int, float] = {}

    def logits(question: object, verified: object, memories: list[list[int]]) -> object:
        return np.array([given[number] for number in range(len(memories))], np.float32)

    monkeypatch.setattr(answerer.router, "logits", logits)
    manner = answerer.renderer.manner().rank
    for logit, on in (({0: 9, 1: -9, 2: -9}, [0]), ({0: -9, 1: 9, 2: 8.9}, [1, 2])):
        given.update(logit)
        ready = answerer.prepare("What?", min_relevance=0.5)
        assert ready.adapter is not None and [hit.id for hit in ready.hits] == [file.id]
        assert ready.adapter.rank == manner + sum(ranks[part] for part in on)
    given.update({0: -9.0, 1: -9.0, 2: -9.0})
    assert answerer.prepare("What?", min_relevance=0.5).adapter is None


def test_opened_parts_have_their_gates(sleeper: Sleeper, answerer: Answerer) -> None:
    usv = torch.from_numpy(sleeper.space.encode(["Ben waters the plants."])[0])
    single = PartedAdapter.render(answerer.renderer, sleeper.space.reader, usv)
    assert single.opened([1.0]).adapter is single.adapter
    parted = replace(
        single, part=torch.arange(single.adapter.rank) % 2, words=[*single.words, *single.words]
    )
    found = parted.opened([0.0, 0.5])
    opened = found.adapter
    assert torch.equal(found.ranks, torch.arange(1, single.adapter.rank, 2))
    assert torch.equal(opened.values, 0.5 * single.adapter.values[:, 1::2])
    assert torch.equal(opened.keys, single.adapter.keys[:, 1::2])


def test_another_thread_may_merge_while_questions_are_answered(
    sleeper: Sleeper, store: MemoryStore, answerer: Answerer
) -> None:
    ids = sleeper.remember(store)
    answerer.index.synchronise(store)
    answerer.router.signs["Who?"] = store.get(ids[1]).passport  # type: ignore[attr-defined]
    consolidator = sleeper.consolidator(store)
    sleeping = threading.Thread(target=lambda: consolidator.consolidate(consolidator.plan(3)))
    sleeping.start()
    answers = [answerer.answer("Who?", max_tokens=1, top_k=1) for _ in range(3)]
    sleeping.join()
    assert all([hit.id for hit in one.hits] == [ids[1]] for one in answers)
    assert len(store) == 2
