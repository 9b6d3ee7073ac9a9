import { onScopeDispose } from "vue";
import type { Point } from "../geometry/boxes";

export interface DragHandlers {
  /** Return false to leave this press alone. */
  start?(at: Point, event: PointerEvent): boolean;
  move(at: Point, by: Point, event: PointerEvent): void;
  end(moved: boolean, event: PointerEvent): void;
}

const SLOP_PX = 4;

/** Follow one pointer from press to release; a press that hardly moves counts as not moved. */
export function useDrag(handlers: DragHandlers) {
  let from: Point | null = null;
  let last: Point = { x: 0, y: 0 };
  let id = -1;
  let moved = false;

  function press(event: PointerEvent): void {
    if (event.button !== 0 || id !== -1) return;
    const at = { x: event.clientX, y: event.clientY };
    if (handlers.start?.(at, event) === false) return;
    id = event.pointerId;
    from = last = at;
    moved = false;
    addEventListener("pointermove", follow);
    addEventListener("pointerup", release);
    addEventListener("pointercancel", release);
  }

  function follow(event: PointerEvent): void {
    if (event.pointerId !== id || from === null) return;
    const at = { x: event.clientX, y: event.clientY };
    if (!moved && Math.hypot(at.x - from.x, at.y - from.y) < SLOP_PX) return;
    moved = true;
    handlers.move(at, { x: at.x - last.x, y: at.y - last.y }, event);
    last = at;
  }

  function release(event: PointerEvent): void {
    if (event.pointerId !== id) return;
    stop();
    handlers.end(moved, event);
  }

  function stop(): void {
    id = -1;
    removeEventListener("pointermove", follow);
    removeEventListener("pointerup", release);
    removeEventListener("pointercancel", release);
  }

  onScopeDispose(stop);
  return { press };
}
