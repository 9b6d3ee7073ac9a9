/** Which labels of boxes can be read: those that lie on no other label and inside the frame. */
import type { Size } from "./boxes";
import type { Rect } from "./view";

export interface Labelled {
  key: string;
  text: string;
  /** The box on the screen. */
  rect: Rect;
}

/** What the style sheet gives a label: 12 px bold, 18 px high, 6 px at each side. */
const HEIGHT_PX = 18;
const CHARACTER_PX = 7.4;
const SIDES_PX = 14;

/** How wide a label is, about; a little more than what the browser draws. */
export function labelWidth(text: string): number {
  return text.length * CHARACTER_PX + SIDES_PX;
}

/** Keep the labels that have room, the first ones first; where each begins, from its box's left. */
export function readableLabels(boxes: readonly Labelled[], frame: Size): Map<string, number> {
  const taken: Rect[] = [];
  const shown = new Map<string, number>();
  for (const { key, text, rect } of boxes) {
    const width = labelWidth(text);
    const left = Math.min(Math.max(rect.left, 0), Math.max(0, frame.width - width));
    const label = { left, top: rect.top, width, height: HEIGHT_PX };
    const inside =
      rect.top > -HEIGHT_PX &&
      rect.top + HEIGHT_PX <= frame.height + 1 &&
      rect.left + rect.width > 0 &&
      rect.left < frame.width;
    if (!inside || width > frame.width || taken.some((other) => overlap(label, other))) continue;
    taken.push(label);
    shown.set(key, left - rect.left);
  }
  return shown;
}

function overlap(a: Rect, b: Rect): boolean {
  return (
    a.left < b.left + b.width &&
    b.left < a.left + a.width &&
    a.top < b.top + b.height &&
    b.top < a.top + a.height
  );
}
