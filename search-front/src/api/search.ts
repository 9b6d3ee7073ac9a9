import { call } from "./http";
import type { Box, Kinds, SearchAnswer, StoredQuery } from "./types";

/** What of the index may answer. */
export interface Filters {
  kinds: Kinds;
  labels: string[];
  collections: string[];
  takenAfter: string;
  takenBefore: string;
  /** Show near-duplicates too, which are otherwise folded into one result. */
  alike: boolean;
  /** Rank by looks alone, without preferring the class that is searched for. */
  looks: boolean;
}

export const NO_FILTERS: Filters = {
  kinds: "both",
  labels: [],
  collections: [],
  takenAfter: "",
  takenBefore: "",
  alike: false,
  looks: false,
};

/** What is searched for: a new picture, a stored one, an object of the index, or an address. */
export type Asked =
  | { by: "picture"; file: Blob; name: string; box?: Box | null; whole?: boolean }
  | { by: "url"; url: string; box?: Box | null; whole?: boolean }
  | { by: "query"; id: string; box: Box | null; whole: boolean }
  | { by: "object"; id: string };

/** Search; the first page of a frozen ranking. */
export function search(
  asked: Asked,
  filters: Filters,
  limit: number,
  signal: AbortSignal,
): Promise<SearchAnswer> {
  const form = new FormData();
  writeAsked(form, asked);
  form.set("kinds", filters.kinds);
  form.set("limit", String(limit));
  if (filters.labels.length > 0) form.set("labels", filters.labels.join(","));
  if (filters.collections.length > 0) form.set("collections", filters.collections.join(","));
  if (filters.takenAfter) form.set("taken_after", filters.takenAfter);
  if (filters.takenBefore) form.set("taken_before", filters.takenBefore);
  if (filters.alike) form.set("fold", "false");
  if (filters.looks) form.set("label_weight", "0");
  return call<SearchAnswer>("/v1/search", { method: "POST", body: form, signal });
}

function writeAsked(form: FormData, asked: Asked): void {
  if (asked.by === "picture") form.set("image", asked.file, asked.name);
  else if (asked.by === "url") form.set("url", asked.url);
  else if (asked.by === "query") form.set("query_id", asked.id);
  else form.set("object_id", asked.id);
  if (asked.by === "object") return;
  if (asked.box) form.set("box", asked.box.map((side) => side.toFixed(2)).join(","));
  else if (asked.whole) form.set("scope", "image");
}

/** The next page of a frozen ranking. */
export function nextPage(cursor: string, signal: AbortSignal): Promise<SearchAnswer> {
  const form = new FormData();
  form.set("cursor", cursor);
  return call<SearchAnswer>("/v1/search", { method: "POST", body: form, signal });
}

/** A stored query, so that a shared address can show its picture and objects. */
export function storedQuery(id: string, signal: AbortSignal): Promise<StoredQuery> {
  return call<StoredQuery>(`/v1/queries/${encodeURIComponent(id)}`, { signal });
}
