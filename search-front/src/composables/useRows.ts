import { computed, type Ref } from "vue";
import type { Size } from "../geometry/boxes";
import { rowWidths } from "../geometry/rows";
import { useElementSize } from "./useElementSize";

/** How high rows are: a share of the list's width within bounds, in CSS pixels. */
export interface RowHeights {
  share: number;
  least: number;
  most: number;
  gap: number;
}

/** The width of each picture of a list whose rows fill it. */
export function useRows(
  list: Readonly<Ref<HTMLElement | null>>,
  sizes: () => readonly Size[],
  { share, least, most, gap }: RowHeights,
): Readonly<Ref<number[]>> {
  const room = useElementSize(list);
  return computed(() => {
    const { width } = room.value;
    const height = Math.min(most, Math.max(least, width * share));
    const ratios = sizes().map((size) => size.width / Math.max(1, size.height));
    return rowWidths(ratios, { width, height, gap });
  });
}
