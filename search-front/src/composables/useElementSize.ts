import { onBeforeUnmount, onMounted, type Ref, shallowRef } from "vue";
import type { Size } from "../geometry/boxes";

/** The size of an element's content box in CSS pixels, followed as it changes. */
export function useElementSize(element: Readonly<Ref<HTMLElement | null>>): Readonly<Ref<Size>> {
  const size = shallowRef<Size>({ width: 0, height: 0 });
  const observer = new ResizeObserver(([entry]) => {
    if (entry) size.value = { width: entry.contentRect.width, height: entry.contentRect.height };
  });
  onMounted(() => element.value && observer.observe(element.value));
  onBeforeUnmount(() => observer.disconnect());
  return size;
}
