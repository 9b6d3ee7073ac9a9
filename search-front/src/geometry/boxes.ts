import type { Box } from "../api/types";

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** The side or corner of a box that is being moved; "move" is the whole box. */
export type Handle = "move" | "n" | "ne" | "e" | "se" | "s" | "sw" | "w" | "nw";

export const MIN_SIDE = 4;

/** Area of a box in its own unit; an inverted box has none. */
export function area([x1, y1, x2, y2]: Box): number {
  return Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
}

/** The box whose opposite corners are two points, kept inside the picture. */
export function boxBetween(a: Point, b: Point, picture: Size): Box {
  return clampBox(
    [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)],
    picture,
  );
}

/** Cut a box off at the picture's edges. */
export function clampBox([x1, y1, x2, y2]: Box, { width, height }: Size): Box {
  const within = (value: number, end: number) => Math.min(Math.max(value, 0), end);
  return [within(x1, width), within(y1, height), within(x2, width), within(y2, height)];
}

/** Move a box, or drag one of its handles, by some pixels; it stays inside and keeps MIN_SIDE. */
export function dragBox(box: Box, handle: Handle, by: Point, picture: Size): Box {
  if (handle === "move") return moveBox(box, by, picture);
  let [x1, y1, x2, y2] = box;
  if (handle.includes("w")) x1 = Math.min(Math.max(0, x1 + by.x), x2 - MIN_SIDE);
  if (handle.includes("e")) x2 = Math.max(Math.min(picture.width, x2 + by.x), x1 + MIN_SIDE);
  if (handle.includes("n")) y1 = Math.min(Math.max(0, y1 + by.y), y2 - MIN_SIDE);
  if (handle.includes("s")) y2 = Math.max(Math.min(picture.height, y2 + by.y), y1 + MIN_SIDE);
  return [x1, y1, x2, y2];
}

function moveBox([x1, y1, x2, y2]: Box, by: Point, { width, height }: Size): Box {
  const dx = Math.min(Math.max(by.x, -x1), width - x2);
  const dy = Math.min(Math.max(by.y, -y1), height - y2);
  return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
}

/** A box in the middle that covers a share of the picture's sides: where drawing by key begins. */
export function middleBox({ width, height }: Size, share = 0.5): Box {
  const [dx, dy] = [(width * (1 - share)) / 2, (height * (1 - share)) / 2];
  return [dx, dy, width - dx, height - dy];
}

/** The largest square in the middle of a box. */
export function middleSquare([x1, y1, x2, y2]: Box): Box {
  const half = Math.min(x2 - x1, y2 - y1) / 2;
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return [x - half, y - half, x + half, y + half];
}

/** The whole picture as a box. */
export function wholeBox({ width, height }: Size): Box {
  return [0, 0, width, height];
}

/** Carry a box over to another size of the same picture. */
export function scaleBox([x1, y1, x2, y2]: Box, from: Size, to: Size): Box {
  const [sx, sy] = [to.width / from.width, to.height / from.height];
  return [x1 * sx, y1 * sy, x2 * sx, y2 * sy];
}

/** True when two boxes differ by less than a tolerance on every side. */
export function sameBox(a: Box, b: Box, tolerance = 1): boolean {
  return a.every((value, side) => Math.abs(value - (b[side] ?? Infinity)) < tolerance);
}

/** Large boxes first, so that a small one lies on top and can be reached. */
export function bySizeFalling<T extends { box: Box }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => area(b.box) - area(a.box));
}
