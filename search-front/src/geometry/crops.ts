import type { Box } from "../api/types";
import type { Size } from "./boxes";

/** How to lay a picture, in shares of a window, so that only a box of it shows in that window. */
export function cropLayout([x1, y1, x2, y2]: Box, { width, height }: Size) {
  const [boxWidth, boxHeight] = [Math.max(1, x2 - x1), Math.max(1, y2 - y1)];
  return {
    width: (width / boxWidth) * 100,
    height: (height / boxHeight) * 100,
    left: (-x1 / boxWidth) * 100,
    top: (-y1 / boxHeight) * 100,
  };
}

/** The largest window with the box's proportions inside a square, in shares of the square. */
export function cropWindow([x1, y1, x2, y2]: Box): { width: number; height: number } {
  const [width, height] = [Math.max(1, x2 - x1), Math.max(1, y2 - y1)];
  const longer = Math.max(width, height);
  return { width: (width / longer) * 100, height: (height / longer) * 100 };
}
