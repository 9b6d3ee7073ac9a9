/** Where the visitor is, as an address that can be shared, and back. */
import type { Box, Kinds } from "../api/types";
import { type Filters, NO_FILTERS } from "../api/search";

export type Question =
  | { by: "query"; id: string; box: Box | null; whole: boolean }
  | { by: "object"; id: string };

export type Layout = "pictures" | "crops";

export interface SearchPlace {
  page: "search";
  question: Question | null;
  filters: Filters;
  minScore: number | null;
  layout: Layout;
}

export type Place = SearchPlace | { page: "add" } | { page: "index" };

export const START: SearchPlace = {
  page: "search",
  question: null,
  filters: NO_FILTERS,
  minScore: null,
  layout: "pictures",
};

/** Write a place as the query part of an address. */
export function toAddress(place: Place): string {
  if (place.page !== "search") return `?page=${place.page}`;
  const fields = new URLSearchParams();
  if (place.question?.by === "object") fields.set("object", place.question.id);
  if (place.question?.by === "query") {
    fields.set("q", place.question.id);
    if (place.question.box) fields.set("box", place.question.box.map(short).join(","));
    if (place.question.whole) fields.set("whole", "1");
  }
  const { filters } = place;
  if (filters.kinds !== "both") fields.set("kinds", filters.kinds);
  for (const label of filters.labels) fields.append("label", label);
  for (const collection of filters.collections) fields.append("collection", collection);
  if (filters.takenAfter) fields.set("after", filters.takenAfter);
  if (filters.takenBefore) fields.set("before", filters.takenBefore);
  if (filters.alike) fields.set("alike", "1");
  if (filters.looks) fields.set("looks", "1");
  if (place.minScore !== null) fields.set("min", String(place.minScore));
  if (place.layout !== "pictures") fields.set("view", place.layout);
  const text = fields.toString();
  return text ? `?${text}` : "";
}

function short(side: number): string {
  return String(Math.round(side * 100) / 100);
}

/** Read an address; what makes no sense in it is left out. */
export function fromAddress(query: string): Place {
  const fields = new URLSearchParams(query);
  const page = fields.get("page");
  if (page === "add" || page === "index") return { page };
  const min = Number(fields.get("min") ?? Number.NaN);
  return {
    page: "search",
    question: readQuestion(fields),
    filters: {
      kinds: readKinds(fields.get("kinds")),
      labels: fields.getAll("label"),
      collections: fields.getAll("collection"),
      takenAfter: readDay(fields.get("after")),
      takenBefore: readDay(fields.get("before")),
      alike: fields.get("alike") === "1",
      looks: fields.get("looks") === "1",
    },
    minScore: min >= -1 && min <= 1 ? min : null,
    layout: fields.get("view") === "crops" ? "crops" : "pictures",
  };
}

function readQuestion(fields: URLSearchParams): Question | null {
  const object = fields.get("object");
  if (object) return { by: "object", id: object };
  const id = fields.get("q");
  if (!id) return null;
  return { by: "query", id, box: readBox(fields.get("box")), whole: fields.get("whole") === "1" };
}

function readBox(text: string | null): Box | null {
  const [x1, y1, x2, y2, ...rest] = (text ?? "").split(",").map(Number);
  if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) return null;
  const box: Box = [x1, y1, x2, y2];
  return rest.length === 0 && box.every(Number.isFinite) && x2 > x1 && y2 > y1 ? box : null;
}

function readKinds(text: string | null): Kinds {
  return text === "object" || text === "image" ? text : "both";
}

function readDay(text: string | null): string {
  return text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) ? text : "";
}

/** What must be asked for this place; score floor and layout change only how it is shown. */
export function searchKey({ question, filters }: SearchPlace): string {
  return toAddress({ ...START, question, filters });
}
