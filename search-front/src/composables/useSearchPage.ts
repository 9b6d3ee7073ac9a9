import { computed, type Ref, shallowRef, watch } from "vue";
import { ApiError } from "../api/errors";
import type { Asked, Filters } from "../api/search";
import type { Box } from "../api/types";
import type { Found } from "./found";
import { preparePicture } from "./preparePicture";
import type { Address } from "./useAddress";
import { type Layout, type Question, type SearchPlace, START } from "./place";
import { type QueryPictureApi, useQueryPicture } from "./useQueryPicture";
import { type SearchApi, useSearch } from "./useSearch";

export type SearchPage = ReturnType<typeof useSearchPage>;

/** Everything the search page does, without how it looks. */
export function useSearchPage(address: Address, api: SearchApi & QueryPictureApi) {
  const place = computed(() => (address.place.value.page === "search" ? address.place.value : START));
  const { state, ask, more, again, stop, reset, forget } = useSearch(address, api);
  const { picture, showNew, name, clear, broken } = useQueryPicture(address.place, api);
  const problem = shallowRef<ApiError | null>(null);
  /** What was sent, for when the service could not keep it under a query id. */
  let sent: Extract<Asked, { by: "picture" | "url" }> | null = null;

  const found: Readonly<Ref<Found | null>> = computed(() => {
    if (state.value.status === "done") return state.value.found;
    return state.value.status === "loading" ? state.value.before : null;
  });
  const searching = computed(() => state.value.status === "loading");
  const facets = useFacets(place, state);

  async function askPicture(files: readonly File[]): Promise<void> {
    const [file] = files;
    if (!file) return;
    problem.value = null;
    try {
      const prepared = await preparePicture(file);
      sent = { by: "picture", file: prepared.file, name: prepared.name };
      showNew(prepared);
    } catch {
      problem.value = new ApiError(0, "undecodable_picture", "");
      return;
    }
    await ask(sent, named);
  }

  async function askUrl(url: string): Promise<void> {
    problem.value = null;
    sent = { by: "url", url };
    clear();
    await ask(sent, () => undefined);
  }

  /** The service has read the picture that is shown. */
  function named({ queryId, size, objects }: Found): void {
    name(queryId, size, objects);
  }

  /** Begin anew, wherever the page is. */
  function home(): void {
    problem.value = null;
    reset();
    clear();
    address.go(START);
  }

  /** Ask again after a login. */
  function resume(): void {
    if (state.value.status === "error") state.value.retry();
    else again();
  }

  function part(box: Box | null, whole: boolean): void {
    const id = found.value?.queryId;
    if (id) go({ question: { by: "query", id, box, whole } });
    else if (sent) void ask({ ...sent, box, whole }, named);
  }

  /** Go to another question or view; filters stay with the question they were set for. */
  function go(change: Partial<SearchPlace>): void {
    const fresh = change.question ? { ...START, layout: place.value.layout } : place.value;
    address.go({ ...fresh, ...change });
  }

  return {
    state,
    place,
    picture,
    problem,
    found,
    facets,
    searching,
    askPicture,
    askUrl,
    broken,
    more,
    again,
    stop,
    home,
    resume,
    forget,
    searchBox: (box: Box) => part(box, false),
    searchWhole: () => part(null, true),
    searchObject: (id: string) => go({ question: { by: "object", id } satisfies Question }),
    setFilters: (filters: Filters) => go({ filters }),
    /** The slider moves through many values: one entry in the history is enough. */
    setFloor: (minScore: number | null) => address.replace({ ...place.value, minScore }),
    setLayout: (layout: Layout) => address.replace({ ...place.value, layout }),
  };
}

/** The label counts of a question without its label filter, so that other labels stay in reach. */
function useFacets(place: Readonly<Ref<SearchPlace>>, state: ReturnType<typeof useSearch>["state"]) {
  const facets = shallowRef<Record<string, number>>({});
  let of: string | null = null;
  watch(state, (now) => {
    if (now.status !== "done") return;
    const { question, filters } = place.value;
    const key = JSON.stringify([question, { ...filters, labels: [] }]);
    if (filters.labels.length === 0 || key !== of) facets.value = now.found.facets;
    of = key;
  });
  return facets;
}
