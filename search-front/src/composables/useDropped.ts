import { shallowRef, watch } from "vue";
import { ApiError, NO_ADDRESSES, NO_FILES, NO_PICTURE } from "../api/errors";
import { addressIn, useIncoming } from "./useIncoming";
import type { SearchPage } from "./useSearchPage";

/** What is dropped on or pasted into the search page: one picture or address to search with. */
export function useDropped(page: SearchPage, urlsAllowed: () => boolean) {
  /** All files of a drop of several; the search takes the first picture. */
  const several = shallowRef<{ files: File[]; searched: File } | null>(null);
  let coming = several.value;

  function refuse(code: string): void {
    page.problem.value = new ApiError(0, code, "");
  }

  function takeFiles(files: File[]): void {
    const searched = files.find(({ type }) => type.startsWith("image/")) ?? files[0];
    if (!searched) return refuse(NO_FILES);
    coming = files.length > 1 ? { files, searched } : null;
    void page.askPicture([searched]);
  }

  function takeText(text: string): void {
    const url = addressIn(text);
    if (url === null) refuse(NO_PICTURE);
    else if (!urlsAllowed()) refuse(NO_ADDRESSES);
    else void page.askUrl(url);
  }

  // The notice belongs to the picture that is shown; the next one, or none, ends it.
  watch(
    () => page.picture.value?.src,
    () => {
      several.value = coming;
      coming = null;
    },
  );
  return { ...useIncoming({ files: takeFiles, text: takeText }), several };
}
