import { onScopeDispose, type Ref, shallowRef, watch } from "vue";
import { type ApiError, isAborted } from "../api/errors";
import type { IndexedImage } from "../api/types";
import { asApiError } from "./useSearch";

export type DetailState =
  | { status: "loading" }
  | { status: "done"; image: IndexedImage }
  | { status: "error"; error: ApiError };

/** Everything about one picture of the index, for the key that is shown now. */
export function useImageDetail(
  key: Readonly<Ref<string>>,
  fetchImage: (key: string, signal: AbortSignal) => Promise<IndexedImage>,
) {
  const state = shallowRef<DetailState>({ status: "loading" });
  let running = new AbortController();

  async function load(): Promise<void> {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    state.value = { status: "loading" };
    try {
      const image = await fetchImage(key.value, signal);
      if (!signal.aborted) state.value = { status: "done", image };
    } catch (error) {
      if (!signal.aborted && !isAborted(error)) {
        state.value = { status: "error", error: asApiError(error) };
      }
    }
  }

  watch(key, load, { immediate: true });
  onScopeDispose(() => running.abort());
  return { state: state as Readonly<Ref<DetailState>>, load };
}
