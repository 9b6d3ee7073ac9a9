"""What was written to a version while another one became active."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedding_pipeline.ingest.catch_up import CatchUp
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import Upload
from embedding_pipeline.ingest.unfinished import Unfinished
from embedding_pipeline.ports.index import IndexVersion
from support.ingest_workshop import SINCE, ShelfIndex, Workshop, jpeg, key_of
from support.models_fakes import fake_description


class Catalog:
    """Versions in memory."""

    def __init__(self, *indexes: ShelfIndex) -> None:
        self.indexes = {one.version.name: one for one in indexes}
        self.at = indexes[0].version.name
        self.before: str | None = None
        self.dropped: list[str] = []

    def versions(self) -> list[IndexVersion]:
        """All."""
        return [
            IndexVersion(name, one.version.description, name == self.at, name == self.before, SINCE)
            for name, one in self.indexes.items()
        ]

    def active(self) -> IndexVersion | None:
        """The one that the test made active."""
        return next(one for one in self.versions() if one.active)

    def create(self, description: object) -> IndexVersion:
        """One more."""
        made = ShelfIndex(description, f"v{len(self.indexes) + len(self.dropped) + 1}")  # type: ignore[arg-type]
        self.indexes[made.version.name] = made
        return made.version

    def drop(self, name: str) -> None:
        """Forget one."""
        self.dropped.append(name)
        del self.indexes[name]

    def open(self, name: str | None = None) -> ShelfIndex:
        """The index itself."""
        return self.indexes[name or self.at]


class Bench:
    """A library whose index is v1, and a catalog in which v2 may become active."""

    def __init__(self, folder: Path, dimension: int = 16) -> None:
        self.shop = Workshop(folder)
        self.second = ShelfIndex(fake_description(dimension), "v2")
        self.catalog = Catalog(self.shop.index, self.second)
        self.locks = KeyLocks(folder / "locks")
        self.catch_up = CatchUp(folder / "late", self.catalog, self.shop.originals, self.locks)  # type: ignore[arg-type]
        self.shop.library.shelf._after_change = self.catch_up.after_change

    def add(self, number: int, collection: str | None = None) -> str:
        """Upload a picture."""
        [answer] = self.shop.library.add([Upload(f"{number}.jpg", jpeg(number), collection)])
        assert answer.status in {"indexed", "duplicate"}
        return answer.image_key


def test_while_one_version_is_active_nothing_is_noted(tmp_path: Path) -> None:
    """The usual case costs a look."""
    bench = Bench(tmp_path)
    bench.add(1)
    assert bench.catch_up.noted() == []
    assert bench.second.held == {}


def test_of_the_same_models_the_entries_go_over_at_once(tmp_path: Path) -> None:
    """Added, tagged and deleted: the active version has it all before it is acknowledged."""
    bench = Bench(tmp_path)
    gone = bench.add(1)
    bench.second.held |= bench.shop.index.held
    bench.catalog.at = "v2"
    late = bench.add(2, "pets")
    assert bench.shop.library.delete(gone)
    assert sorted(bench.second.held) == [late]
    assert bench.second.held[late].entries[0].collections == ("pets",)
    assert bench.catch_up.noted() == []


def test_of_other_models_they_are_noted_and_deletes_go_over(tmp_path: Path) -> None:
    """The vectors of one model never reach a version of another."""
    bench = Bench(tmp_path, dimension=24)
    gone = bench.add(1)
    bench.second.held |= bench.shop.index.held
    bench.catalog.at = "v2"
    late = bench.add(2)
    assert bench.shop.library.delete(gone)
    assert bench.second.held == {}
    assert bench.catch_up.noted() == [late]


def test_notes_are_worked_off_once(tmp_path: Path) -> None:
    """A picture is run through the models, a deleted one dropped, a tagged one renewed."""
    bench = Bench(tmp_path)
    keys = [bench.add(number) for number in range(3)]
    bench.second.held[keys[1]] = bench.shop.index.held[keys[1]]
    bench.second.held[keys[2]] = bench.shop.index.held[keys[2]]
    bench.add(1, "tagged")
    bench.shop.originals.delete(keys[2])
    bench.catch_up.note(keys)
    bench.shop.models.worked.clear()
    done = bench.catch_up.settle(bench.second, bench.shop.models)  # type: ignore[arg-type]
    assert bench.shop.models.worked == [keys[0]]
    assert sorted(done.objects) == sorted(keys[:2])
    assert done.removed == [keys[2]]
    assert bench.second.held[keys[1]].entries[0].collections == ("tagged",)
    assert bench.catch_up.noted() == []


def test_a_picture_that_fails_for_good_keeps_no_note(tmp_path: Path) -> None:
    """One that may work later does."""
    bench = Bench(tmp_path)
    bad, refused = bench.add(1), bench.add(2)
    bench.shop.models.broken.add(bad)
    bench.second.refused.add(refused)
    bench.catch_up.note([bad, refused])
    done = bench.catch_up.settle(bench.second, bench.shop.models)  # type: ignore[arg-type]
    assert sorted(done.problems) == sorted([bad, refused])
    assert bench.catch_up.noted() == [refused]


def test_around_a_flip_every_change_is_collected(tmp_path: Path) -> None:
    """Inside the block the version has it all; outside nothing is collected."""
    bench = Bench(tmp_path, dimension=16)
    early = bench.add(1)
    with bench.catch_up.collecting():
        late = bench.add(2)
        with bench.catch_up.all_collected(bench.second, bench.shop.models):  # type: ignore[arg-type]
            assert sorted(bench.second.held) == [late]
    bench.add(3)
    assert early not in bench.second.held
    assert not (tmp_path / "late" / "collected").exists()


@pytest.mark.parametrize("known", [True, False], ids=["its name was learned", "it was not"])
def test_a_version_that_a_killed_run_left_is_known_for_its_own(
    tmp_path: Path, *, known: bool
) -> None:
    """The same models go on with it, others drop it; a version made by hand stays."""
    bench = Bench(tmp_path)
    wanted, other = fake_description(32), fake_description(48)
    by_hand = bench.catalog.create(wanted)
    unfinished = Unfinished(tmp_path / "ledgers")
    left = unfinished.take_up(bench.catalog, wanted)  # type: ignore[arg-type]
    assert left.name != by_hand.name
    again = Unfinished(tmp_path / "ledgers") if known else unfinished
    assert again.take_up(bench.catalog, wanted).name == left.name  # type: ignore[arg-type]
    made = again.take_up(bench.catalog, other)  # type: ignore[arg-type]
    assert bench.catalog.dropped == [left.name]
    assert by_hand.name in bench.catalog.indexes
    bench.catalog.at = made.name
    again.forget()
    assert again.take_up(bench.catalog, other).name != made.name  # type: ignore[arg-type]
    assert key_of(jpeg(1)) not in bench.second.held
