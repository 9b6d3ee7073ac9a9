/** What a search has found so far, and how pages and score floors change it. */
import type { FoundObject, Hit, Levels, Match, SearchAnswer, Searched } from "../api/types";
import type { Size } from "../geometry/boxes";

export interface Found {
  size: Size;
  objects: FoundObject[];
  searched: Searched;
  hits: Hit[];
  facets: Record<string, number>;
  queryId: string | null;
  nextCursor: string | null;
  /** Near-duplicates that were left out of the whole ranking. */
  folded: number;
  /** Scores from which a match deserves a word; null while the index cannot tell. */
  levels: Levels | null;
  /** The class that ranks higher; null where only looks count. */
  preferredLabel: string | null;
}

/** The first page of an answer. */
export function foundFrom(answer: SearchAnswer): Found {
  const { query } = answer;
  return {
    size: { width: query.width, height: query.height },
    objects: query.objects,
    searched: query.searched,
    hits: answer.hits,
    facets: answer.facets,
    queryId: answer.query_id,
    nextCursor: answer.next_cursor,
    folded: answer.folded ?? 0,
    levels: answer.levels ?? null,
    preferredLabel: query.preferred_label ?? null,
  };
}

/** Append a page; a picture that is already there is not shown twice. */
export function withPage(found: Found, answer: SearchAnswer): Found {
  const known = new Set(found.hits.map((hit) => hit.image_key));
  const fresh = answer.hits.filter((hit) => !known.has(hit.image_key));
  return { ...found, hits: [...found.hits, ...fresh], nextCursor: answer.next_cursor };
}

/** Take a deleted picture out. */
export function withoutImage(found: Found, imageKey: string): Found {
  return { ...found, hits: found.hits.filter((hit) => hit.image_key !== imageKey) };
}

/** The hits whose best score reaches the floor, each with the matches that do. */
export function above(hits: readonly Hit[], floor: number | null): Hit[] {
  if (floor === null) return [...hits];
  return hits
    .filter((hit) => hit.score >= floor)
    .map((hit) => ({ ...hit, matches: hit.matches.filter((match) => match.score >= floor) }));
}

/** Matches that score about as high as a picture's best are what it was found by. */
const NEAR = 0.1;

/** What a picture was found by, and good matches near it; the others are there, but say little. */
export function near(matches: readonly Match[]): Match[] {
  const best = Math.max(...matches.map(({ score }) => score));
  return matches.filter(
    ({ score, match }, rank) => rank === 0 || (score >= best - NEAR && match !== "weak"),
  );
}

/** How many hits stand before the point from which all are weak. */
export function strongCount(hits: readonly Hit[]): number {
  return hits.findLastIndex(({ match }) => match !== "weak") + 1;
}

/** Whether a further page may hold what reaches the floor; ranking may prefer a class to a score. */
export function mayReach(hits: readonly Hit[], floor: number | null, page: number): boolean {
  return floor === null || hits.slice(-page).some(({ score }) => score >= floor);
}

/** The hits that a score floor hides. */
export function below(hits: readonly Hit[], floor: number | null): Hit[] {
  return floor === null ? [] : hits.filter((hit) => hit.score < floor);
}

/** How many scores fall into each of some equal steps from low to high. */
export function histogram(scores: readonly number[], low: number, high: number, steps: number) {
  const counts = new Array<number>(steps).fill(0);
  for (const score of scores) {
    const step = Math.floor(((score - low) / (high - low)) * steps);
    const at = Math.min(steps - 1, Math.max(0, step));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}
