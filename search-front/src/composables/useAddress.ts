import { nextTick, onScopeDispose, type Ref, shallowRef } from "vue";
import { fromAddress, type Place, toAddress } from "./place";

export interface Address {
  place: Readonly<Ref<Place>>;
  go(to: Place): void;
  replace(to: Place): void;
}

interface Kept {
  /** How far the page was scrolled when it was left. */
  scrollY?: number;
}

/** The page's place, held in the browser's address bar and history. */
export function useAddress(): Address {
  const place = shallowRef<Place>(fromAddress(location.search));
  history.scrollRestoration = "manual"; // the browser would scroll before the results are back

  async function read(event: PopStateEvent): Promise<void> {
    place.value = fromAddress(location.search);
    await nextTick();
    scrollTo(0, (event.state as Kept | null)?.scrollY ?? 0);
  }

  addEventListener("popstate", read);
  onScopeDispose(() => removeEventListener("popstate", read));
  return {
    place,
    go(to) {
      if (toAddress(to) === toAddress(place.value)) return;
      history.replaceState({ scrollY } satisfies Kept, "");
      history.pushState(null, "", location.pathname + toAddress(to));
      if (isElsewhere(place.value, to)) scrollTo(0, 0);
      place.value = to;
    },
    replace(to) {
      history.replaceState(history.state, "", location.pathname + toAddress(to));
      place.value = to;
    },
  };
}

/** Another page or question begins at its top; another filter stays where it is. */
function isElsewhere(from: Place, to: Place): boolean {
  if (from.page !== "search" || to.page !== "search") return from.page !== to.page;
  return JSON.stringify(from.question) !== JSON.stringify(to.question);
}
