import { onScopeDispose, shallowRef } from "vue";
import { type ApiError, isAborted } from "../api/errors";
import type { ImageList, ListedImage } from "../api/types";
import { asApiError } from "./useSearch";

export type GalleryState = "loading" | "done" | { error: ApiError };

/** Every picture of the index, page by page. */
export function useGallery(
  fetchPage: (cursor: string | null, signal: AbortSignal) => Promise<ImageList>,
) {
  const pictures = shallowRef<ListedImage[]>([]);
  const state = shallowRef<GalleryState>("loading");
  const cursor = shallowRef<string | null>(null);
  const stopped = new AbortController();
  let busy = false;

  async function more(): Promise<void> {
    if (busy || (state.value === "done" && cursor.value === null)) return;
    busy = true;
    state.value = "loading";
    try {
      const page = await fetchPage(cursor.value, stopped.signal);
      pictures.value = [...pictures.value, ...page.images];
      cursor.value = page.next_cursor;
      state.value = "done";
    } catch (error) {
      if (!isAborted(error)) state.value = { error: asApiError(error) };
    } finally {
      busy = false;
    }
  }

  onScopeDispose(() => stopped.abort());
  void more();
  return { pictures, state, cursor, more };
}
