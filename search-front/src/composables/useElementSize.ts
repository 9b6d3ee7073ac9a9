import { onBeforeUnmount, onMounted, type Ref, shallowRef } from "vue";
import type { Size } from "../geometry/boxes";

/**
 * The size of an element's content box in CSS pixels, followed as it changes.
 *
 * The first is read when it is mounted: an observer tells it after the first painting, and what is
 * laid out by it would jump.
 */
export function useElementSize(element: Readonly<Ref<HTMLElement | null>>): Readonly<Ref<Size>> {
  const size = shallowRef<Size>({ width: 0, height: 0 });
  const observer = new ResizeObserver(([entry]) => {
    if (entry) size.value = { width: entry.contentRect.width, height: entry.contentRect.height };
  });
  onMounted(() => {
    if (!element.value) return;
    size.value = contentSize(element.value);
    observer.observe(element.value);
  });
  onBeforeUnmount(() => observer.disconnect());
  return size;
}

function contentSize(element: HTMLElement): Size {
  const style = getComputedStyle(element);
  const pixels = (...names: string[]) =>
    names.reduce((total, name) => total + (parseFloat(style.getPropertyValue(name)) || 0), 0);
  const around = (one: string, other: string) =>
    style.boxSizing === "border-box"
      ? pixels(`padding-${one}`, `padding-${other}`, `border-${one}-width`, `border-${other}-width`)
      : 0;
  return {
    width: Math.max(0, pixels("width") - around("left", "right")),
    height: Math.max(0, pixels("height") - around("top", "bottom")),
  };
}
