import { onScopeDispose, type Ref, shallowRef } from "vue";
import { fromAddress, type Place, toAddress } from "./place";

export interface Address {
  place: Readonly<Ref<Place>>;
  go(to: Place): void;
  replace(to: Place): void;
}

/** The page's place, held in the browser's address bar and history. */
export function useAddress(): Address {
  const place = shallowRef<Place>(fromAddress(location.search));
  const read = () => {
    place.value = fromAddress(location.search);
  };
  addEventListener("popstate", read);
  onScopeDispose(() => removeEventListener("popstate", read));
  return {
    place,
    go(to) {
      if (toAddress(to) === toAddress(place.value)) return;
      history.pushState(null, "", location.pathname + toAddress(to));
      place.value = to;
    },
    replace(to) {
      history.replaceState(null, "", location.pathname + toAddress(to));
      place.value = to;
    },
  };
}
