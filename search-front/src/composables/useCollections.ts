import { onScopeDispose, shallowRef } from "vue";
import type { Counts } from "../api/types";

/** The collections to filter by; without an answer the filter is not offered. */
export function useCollections(ask: (signal: AbortSignal) => Promise<Counts>) {
  const collections = shallowRef<Counts>({});
  const stopped = new AbortController();
  onScopeDispose(() => stopped.abort());
  ask(stopped.signal).then(
    (counts) => (collections.value = counts),
    () => (collections.value = {}),
  );
  return collections;
}
