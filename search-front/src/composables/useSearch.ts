import { onScopeDispose, type Ref, shallowRef, watch } from "vue";
import { ApiError, isAborted, OFFLINE, STOPPED } from "../api/errors";
import type { Asked, Filters } from "../api/search";
import type { SearchAnswer } from "../api/types";
import type { Address } from "./useAddress";
import { type Found, foundFrom, withoutImage, withPage } from "./found";
import { type Place, searchKey, type SearchPlace, START } from "./place";

export type SearchState =
  | { status: "idle" }
  | { status: "loading"; before: Found | null }
  | { status: "done"; found: Found; more: "idle" | "loading" | ApiError }
  | { status: "error"; error: ApiError; retry: () => void };

export interface SearchApi {
  search(asked: Asked, filters: Filters, limit: number, signal: AbortSignal): Promise<SearchAnswer>;
  nextPage(cursor: string, signal: AbortSignal): Promise<SearchAnswer>;
}

export const PAGE_IMAGES = 24;
const KEPT_ANSWERS = 30;

/** Searches as the address says; a new picture is searched first and gets its address then. */
export function useSearch(address: Address, api: SearchApi) {
  const state = shallowRef<SearchState>({ status: "idle" });
  const answers = new Map<string, Found>();
  let running = new AbortController();
  let latest: () => Promise<void> = async () => undefined;
  /** Where an answer belongs that came while the visitor was on another page, and its asker. */
  let waiting: { place: SearchPlace; from: string } | null = null;

  function restart(): AbortSignal {
    waiting = null;
    running.abort();
    running = new AbortController();
    return running.signal;
  }

  function keep(key: string, found: Found): void {
    answers.delete(key);
    answers.set(key, found);
    const oldest = answers.keys().next().value;
    if (answers.size > KEPT_ANSWERS && oldest !== undefined) answers.delete(oldest);
  }

  /** Run one search; an answer that comes after the next question is dropped. */
  async function run(asked: Asked, filters: Filters, onFound: (found: Found) => void) {
    latest = () => run(asked, filters, onFound);
    const signal = restart();
    const before = state.value.status === "done" ? state.value.found : null;
    state.value = { status: "loading", before };
    try {
      const found = foundFrom(await api.search(asked, filters, PAGE_IMAGES, signal));
      if (signal.aborted) return;
      onFound(found);
      state.value = { status: "done", found, more: "idle" };
    } catch (error) {
      if (signal.aborted || isAborted(error)) return;
      const retry = () => void latest();
      state.value = { status: "error", error: asApiError(error), retry };
    }
  }

  /** Search with something that has no address yet: a new picture or a web address. */
  function ask(asked: Asked, onFound: (found: Found) => void): Promise<void> {
    const from = changed(address.place.value);
    return run(asked, START.filters, (found) => {
      onFound(found);
      if (found.queryId === null) return;
      const question = { by: "query" as const, id: found.queryId, box: null, whole: false };
      const place: SearchPlace = { ...START, question };
      keep(searchKey(place), found);
      if (address.place.value.page === "search") address.go(place);
      else waiting = { place, from }; // nobody is called back from where they went meanwhile
    });
  }

  /** Wait no longer for the answer. */
  function stop(): void {
    const { status } = state.value;
    if (status !== "loading") return;
    running.abort();
    const retry = () => void latest();
    state.value = { status: "error", error: new ApiError(0, STOPPED, ""), retry };
  }

  function follow(place: Place): void {
    if (place.page !== "search") return;
    const key = searchKey(place);
    const known = answers.get(key);
    if (place.question === null) reset();
    else if (known) {
      restart();
      state.value = { status: "done", found: known, more: "idle" };
    } else {
      void run(place.question, place.filters, (found) => keep(key, found));
    }
  }

  /** Load the next page of the frozen ranking, once at a time. */
  async function more(): Promise<void> {
    const now = state.value;
    if (now.status !== "done" || now.more === "loading" || now.found.nextCursor === null) return;
    const { signal } = running;
    state.value = { ...now, more: "loading" };
    try {
      const found = withPage(now.found, await api.nextPage(now.found.nextCursor, signal));
      if (!signal.aborted) show(found);
    } catch (error) {
      if (!signal.aborted) state.value = { ...now, more: asApiError(error) };
    }
  }

  function show(found: Found): void {
    const { place } = address;
    if (place.value.page === "search" && place.value.question) keep(searchKey(place.value), found);
    state.value = { status: "done", found, more: "idle" };
  }

  /** Ask again from the first page, for when the frozen ranking has expired. */
  function again(): void {
    if (address.place.value.page !== "search") return;
    answers.delete(searchKey(address.place.value));
    follow(address.place.value);
  }

  /** Forget the question that has no address. */
  function reset(): void {
    restart();
    state.value = { status: "idle" };
  }

  /** Show no longer what was deleted. */
  function forget(imageKey: string): void {
    for (const [key, found] of answers) answers.set(key, withoutImage(found, imageKey));
    if (state.value.status === "done") {
      state.value = { ...state.value, found: withoutImage(state.value.found, imageKey) };
    }
  }

  let shown = "";
  const changed = (place: Place) => (place.page === "search" ? searchKey(place) : shown);
  watch(
    () => changed(address.place.value),
    (key) => {
      shown = key;
      follow(address.place.value);
    },
    { immediate: true },
  );
  watch(
    () => address.place.value.page,
    (page) => {
      if (page === "search" && waiting?.from === changed(address.place.value)) address.replace(waiting.place);
    },
  );
  onScopeDispose(() => running.abort());
  return { state: state as Readonly<Ref<SearchState>>, ask, more, again, stop, reset, forget };
}

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, OFFLINE, String(error));
}
