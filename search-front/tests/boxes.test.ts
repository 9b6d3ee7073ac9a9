import { describe, expect, it } from "vitest";
import type { Box } from "../src/api/types";
import {
  area,
  boxBetween,
  bySizeFalling,
  clampBox,
  dragBox,
  type Handle,
  middleBox,
  middleSquare,
  MIN_SIDE,
  sameBox,
  scaleBox,
} from "../src/geometry/boxes";

const picture = { width: 200, height: 100 };

describe("boxBetween", () => {
  it.each<[string, [number, number, number, number], Box]>([
    ["down and right", [10, 20, 50, 60], [10, 20, 50, 60]],
    ["up and left", [50, 60, 10, 20], [10, 20, 50, 60]],
    ["beyond the edges", [-10, -10, 300, 300], [0, 0, 200, 100]],
    ["a point", [5, 5, 5, 5], [5, 5, 5, 5]],
  ])("joins two corners: %s", (_name, [x1, y1, x2, y2], expected) => {
    expect(boxBetween({ x: x1, y: y1 }, { x: x2, y: y2 }, picture)).toEqual(expected);
  });
});

describe("dragBox", () => {
  const box: Box = [50, 30, 100, 70];

  it("moves without changing the size, up to the edge", () => {
    expect(dragBox(box, "move", { x: 10, y: -5 }, picture)).toEqual([60, 25, 110, 65]);
    expect(dragBox(box, "move", { x: 1000, y: 1000 }, picture)).toEqual([150, 60, 200, 100]);
    expect(dragBox(box, "move", { x: -1000, y: -1000 }, picture)).toEqual([0, 0, 50, 40]);
  });

  it.each<[Handle, Box]>([
    ["n", [50, 35, 100, 70]],
    ["s", [50, 30, 100, 75]],
    ["w", [60, 30, 100, 70]],
    ["e", [50, 30, 110, 70]],
    ["nw", [60, 35, 100, 70]],
    ["se", [50, 30, 110, 75]],
    ["ne", [50, 35, 110, 70]],
    ["sw", [60, 30, 100, 75]],
  ])("handle %s moves its own sides only", (handle, expected) => {
    expect(dragBox(box, handle, { x: 10, y: 5 }, picture)).toEqual(expected);
  });

  it.each<Handle>(["nw", "ne", "se", "sw"])("handle %s keeps a smallest size inside", (handle) => {
    for (const far of [-1000, 1000]) {
      const [x1, y1, x2, y2] = dragBox(box, handle, { x: far, y: far }, picture);
      expect(x2 - x1).toBeGreaterThanOrEqual(MIN_SIDE);
      expect(y2 - y1).toBeGreaterThanOrEqual(MIN_SIDE);
      expect([x1, y1].every((side) => side >= 0)).toBe(true);
      expect(x2).toBeLessThanOrEqual(picture.width);
      expect(y2).toBeLessThanOrEqual(picture.height);
    }
  });
});

describe("small helpers", () => {
  it("clamps, scales and measures", () => {
    expect(clampBox([-5, 10, 250, 90], picture)).toEqual([0, 10, 200, 90]);
    expect(scaleBox([10, 10, 20, 20], picture, { width: 400, height: 300 })).toEqual([
      20, 30, 40, 60,
    ]);
    expect(area([0, 0, 0, 0])).toBe(0);
    expect(area([10, 10, 5, 20])).toBe(0);
    expect(middleBox(picture, 0.5)).toEqual([50, 25, 150, 75]);
  });

  it("tells boxes apart by more than a pixel", () => {
    expect(sameBox([0, 0, 10, 10], [0.4, 0, 10, 10.4])).toBe(true);
    expect(sameBox([0, 0, 10, 10], [0, 0, 10, 12])).toBe(false);
  });

  it("puts small boxes on top and leaves the given list alone", () => {
    const given: { box: Box }[] = [{ box: [0, 0, 5, 5] }, { box: [0, 0, 50, 50] }];
    expect(bySizeFalling(given).map(({ box }) => area(box))).toEqual([2500, 25]);
    expect(given[0]?.box).toEqual([0, 0, 5, 5]);
    expect(bySizeFalling([])).toEqual([]);
  });
});

describe("middleSquare", () => {
  it.each<[Box, Box]>([
    [[0, 0, 10, 10], [0, 0, 10, 10]],
    [[0, 0, 30, 10], [10, 0, 20, 10]],
    [[5, 0, 15, 100], [5, 45, 15, 55]],
  ])("of %j", (box, expected) => {
    expect(middleSquare(box)).toEqual(expected);
  });
});
