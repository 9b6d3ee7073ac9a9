"""What every kind of query shares: the open product, the tallies, and the floor's effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.asking import ALL_PASS, Worst, best_scores
from embedding_pipeline.evaluation.gallery import Gallery, Watcher
from embedding_pipeline.evaluation.labelled import Problem
from embedding_pipeline.evaluation.tallies import Tally
from embedding_pipeline.search.results import SearchRequest
from minio_proxy.errors import ProxyError


@dataclass(slots=True)
class Floors:
    """Best scores of queries, from which every floor's effect follows.

    Args:
        unanswerable: score of the best answer, the query's class held out; queries without any
            answer are not in it.
        answerable: score of the best answer in another picture.
    """

    unanswerable: list[float] = field(default_factory=list)
    answerable: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Session:
    """What every kind of query needs.

    Args:
        boxseek: open, with the pictures in it.
        gallery: what its index holds.
        tallies: by key of the catalogue.
        problems: gets queries that could not be asked.
        watcher: told of every query.
        most_queries: of one kind.
        worst: the worst queries by kind.
        floors: gets best scores.
    """

    boxseek: Boxseek
    gallery: Gallery
    tallies: dict[str, Tally]
    problems: list[Problem]
    watcher: Watcher
    most_queries: int
    worst: dict[str, Worst]
    floors: Floors


def ask_floor(
    session: Session,
    request: SearchRequest,
    name: str,
    *,
    held_out: Callable[[str], bool],
    others: Callable[[str], bool] | None,
) -> None:
    """What the floor in force does to a query, with and without true matches in the index.

    Args:
        session: gets the tallies nothing_right and nothing_wrong, and the best scores.
        request: without a floor of its own.
        name: the query's picture.
        held_out: tells by image key whether a picture remains when the query's class is held
            out of the index.
        others: tells whether a picture is another than the query's; None where no other picture
            has a true match.
    """
    conditions = [held_out, *([others] if others is not None else [])]
    service = session.boxseek.search_service
    by_looks = replace(request, min_score=ALL_PASS, label_weight=0.0, fold=False)
    best = best_scores(service, by_looks, conditions)
    in_force = best_scores(service, replace(request, min_score=None), conditions)
    if best[0] is not None:
        session.floors.unanswerable.append(best[0])
        session.tallies["nothing_right"].add(name, float(in_force[0] is None))
    if others is not None:
        session.tallies["nothing_wrong"].add(name, float(in_force[1] is None))
        if best[1] is not None:
            session.floors.answerable.append(best[1])


def guarded(session: Session, name: str, ask: Callable[[], None]) -> None:
    """A query that cannot be asked is a problem with its reason; it stops no other."""
    try:
        ask()
    except (BoxseekError, ProxyError) as exc:
        session.problems.append(Problem(name, exc.message))
    except OSError as exc:
        session.problems.append(Problem(name, f"it cannot be read: {exc.strerror}"))
