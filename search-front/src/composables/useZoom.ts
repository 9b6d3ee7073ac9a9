import { computed, type Ref, shallowRef, watch } from "vue";
import type { Point, Size } from "../geometry/boxes";
import { fit, keepInside, pan, type View, zoomAt } from "../geometry/view";

const STEP = 1.5;
const ARROW_PX = 60;

/** Zoom and pan over a picture by buttons, wheel, keys and fingers; starts as a whole. */
export function useZoom(picture: Readonly<Ref<Size>>, frame: Readonly<Ref<Size>>) {
  const chosen = shallowRef<View | null>(null);
  const whole = computed(() => fit(picture.value, frame.value));
  const view = computed(() => chosen.value ?? whole.value);
  const zoomed = computed(() => view.value.scale > whole.value.scale * 1.001);

  const middle = (): Point => ({ x: frame.value.width / 2, y: frame.value.height / 2 });

  function zoom(factor: number, at: Point = middle()): void {
    const next = zoomAt(view.value, at, factor, picture.value, frame.value);
    chosen.value = next.scale <= whole.value.scale ? null : next;
  }

  function move(by: Point): void {
    if (zoomed.value) chosen.value = pan(view.value, by, picture.value, frame.value);
  }

  function reset(): void {
    chosen.value = null;
  }

  /** Act on a key; true when it meant something here. */
  function key(name: string): boolean {
    const arrows: Record<string, Point> = {
      ArrowLeft: { x: ARROW_PX, y: 0 },
      ArrowRight: { x: -ARROW_PX, y: 0 },
      ArrowUp: { x: 0, y: ARROW_PX },
      ArrowDown: { x: 0, y: -ARROW_PX },
    };
    const arrow = arrows[name];
    if (name === "+" || name === "=") zoom(STEP);
    else if (name === "-") zoom(1 / STEP);
    else if (name === "0") reset();
    else if (arrow && zoomed.value) move(arrow);
    else return false;
    return true;
  }

  watch(picture, reset);
  watch(frame, () => {
    if (chosen.value) chosen.value = keepInside(chosen.value, picture.value, frame.value);
  });
  return { view, zoomed, zoom, move, reset, key, zoomIn: () => zoom(STEP), zoomOut: () => zoom(1 / STEP) };
}
