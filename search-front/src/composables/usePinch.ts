import { onScopeDispose, type Ref } from "vue";
import type { Point } from "../geometry/boxes";

const SLOP_PX = 4;

interface PinchHandlers {
  move(by: Point): void;
  /** Two fingers changed their distance by a factor around a point of the frame. */
  pinch(factor: number, at: Point): void;
}

/** Follow one pointer that drags or two that pinch. */
export function usePinch(frame: Readonly<Ref<HTMLElement | null>>, handlers: PinchHandlers) {
  const pointers = new Map<number, Point>();
  let travelled = 0;

  function press(event: PointerEvent): void {
    if (event.button !== 0) return;
    if (pointers.size === 0) {
      travelled = 0;
      addEventListener("pointermove", follow);
      addEventListener("pointerup", release);
      addEventListener("pointercancel", release);
    }
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  function follow(event: PointerEvent): void {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const by = { x: now.x - before.x, y: now.y - before.y };
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    travelled += Math.hypot(by.x, by.y);
    if (travelled < SLOP_PX) return;
    if (other) pinch(before, now, other);
    else handlers.move(by);
  }

  function pinch(before: Point, now: Point, other: Point): void {
    const { left, top } = frame.value?.getBoundingClientRect() ?? { left: 0, top: 0 };
    const distance = (a: Point) => Math.max(1, Math.hypot(a.x - other.x, a.y - other.y));
    const at = { x: (now.x + other.x) / 2 - left, y: (now.y + other.y) / 2 - top };
    handlers.pinch(distance(now) / distance(before), at);
  }

  function release(event: PointerEvent): void {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) stop();
  }

  function stop(): void {
    pointers.clear();
    removeEventListener("pointermove", follow);
    removeEventListener("pointerup", release);
    removeEventListener("pointercancel", release);
  }

  /** The click at the end of a drag chooses nothing. */
  function swallowClick(event: MouseEvent): void {
    if (event.detail > 0 && travelled >= SLOP_PX) event.stopPropagation();
    travelled = 0;
  }

  onScopeDispose(stop);
  return { press, swallowClick };
}
