import { describe, expect, it } from "vitest";
import type { Box } from "../src/api/types";
import { cropLayout, cropWindow } from "../src/geometry/crops";
import { sentSize } from "../src/geometry/shrink";
import {
  boxToPercent,
  boxToScreen,
  distanceToPicture,
  fit,
  keepInside,
  MAX_ZOOM,
  pan,
  pointToPicture,
  zoomAt,
} from "../src/geometry/view";

const frames = [
  { width: 800, height: 600 },
  { width: 390, height: 700 },
  { width: 333.3, height: 211.7 },
];
const pictures = [
  { width: 1280, height: 720 },
  { width: 1, height: 20000 },
  { width: 97, height: 131 },
];
const pairs = frames.flatMap((frame) => pictures.map((picture) => ({ frame, picture })));

describe("fit", () => {
  it.each(pairs)("shows all of $picture in $frame, centred, touching two sides", (pair) => {
    const { frame, picture } = pair;
    const { left, top, width, height } = boxToScreen(
      [0, 0, picture.width, picture.height],
      fit(picture, frame),
    );
    expect(width).toBeLessThanOrEqual(frame.width + 1e-9);
    expect(height).toBeLessThanOrEqual(frame.height + 1e-9);
    expect(Math.min(frame.width - width, frame.height - height)).toBeCloseTo(0);
    expect(left * 2 + width).toBeCloseTo(frame.width);
    expect(top * 2 + height).toBeCloseTo(frame.height);
  });

  it("survives an empty picture", () => {
    expect(fit({ width: 0, height: 0 }, { width: 10, height: 10 }).scale).toBe(1);
  });
});

describe("picture to screen and back", () => {
  it.each(pairs)("returns the same point at any zoom: $picture in $frame", ({ picture, frame }) => {
    for (const factor of [1, 1.7, 4, 100]) {
      for (const ratio of [1, 1.25, 2, 3]) {
        // Pointer events come in CSS pixels, which a device of any ratio divides into parts.
        const at = { x: Math.round(120 * ratio) / ratio, y: Math.round(77 * ratio) / ratio };
        const view = zoomAt(fit(picture, frame), at, factor, picture, frame);
        const there = pointToPicture(at, view);
        const [x, y] = [there.x, there.y];
        const { left, top } = boxToScreen([x, y, x + 1, y + 1], view);
        expect(left).toBeCloseTo(at.x, 6);
        expect(top).toBeCloseTo(at.y, 6);
        const moved = distanceToPicture({ x: view.scale, y: 2 * view.scale }, view);
        expect(moved.x).toBeCloseTo(1);
        expect(moved.y).toBeCloseTo(2);
      }
    }
  });
});

describe("zoomAt and pan", () => {
  const picture = { width: 1000, height: 1000 };
  const frame = { width: 500, height: 500 };

  it("keeps what lies under the pointer where it is", () => {
    const at = { x: 200, y: 310 };
    const before = fit(picture, frame);
    const after = zoomAt(before, at, 3, picture, frame);
    expect(pointToPicture(at, after).x).toBeCloseTo(pointToPicture(at, before).x);
    expect(pointToPicture(at, after).y).toBeCloseTo(pointToPicture(at, before).y);
  });

  it("stays between the whole picture and the largest zoom", () => {
    const whole = fit(picture, frame);
    expect(zoomAt(whole, { x: 0, y: 0 }, 0.01, picture, frame)).toEqual(whole);
    const most = zoomAt(whole, { x: 0, y: 0 }, 1e6, picture, frame);
    expect(most.scale).toBeCloseTo(whole.scale * MAX_ZOOM);
  });

  it("never loses the picture from the frame", () => {
    const near = zoomAt(fit(picture, frame), { x: 250, y: 250 }, 2, picture, frame);
    expect(pan(near, { x: 1e5, y: 1e5 }, picture, frame)).toMatchObject({ x: 0, y: 0 });
    expect(pan(near, { x: -1e5, y: -1e5 }, picture, frame)).toMatchObject({ x: -500, y: -500 });
    const wide = { width: 1000, height: 100 };
    expect(keepInside({ scale: 1, x: -50, y: 7 }, wide, frame)).toEqual({ scale: 1, x: -50, y: 200 });
  });
});

describe("crops and shares", () => {
  const picture = { width: 400, height: 200 };
  const box: Box = [100, 50, 200, 150];

  it("gives shares of the picture", () => {
    expect(boxToPercent(box, picture)).toEqual({ left: 25, top: 25, width: 25, height: 50 });
  });

  it("lays the picture so that only the box shows", () => {
    expect(cropLayout(box, picture)).toEqual({ width: 400, height: 200, left: -100, top: -50 });
  });

  it("keeps the box's proportions in a square", () => {
    expect(cropWindow([0, 0, 100, 50])).toEqual({ width: 100, height: 50 });
    expect(cropWindow([0, 0, 0, 0])).toEqual({ width: 100, height: 100 });
  });
});

describe("sentSize", () => {
  it.each([
    ["small stays", { width: 640, height: 480 }, { width: 640, height: 480 }],
    ["limit stays", { width: 1280, height: 1280 }, { width: 1280, height: 1280 }],
    ["wide", { width: 4000, height: 3000 }, { width: 1280, height: 960 }],
    ["tall", { width: 3000, height: 4000 }, { width: 960, height: 1280 }],
    ["a line", { width: 20000, height: 1 }, { width: 1280, height: 1 }],
  ])("%s", (_name, given, expected) => {
    expect(sentSize(given)).toEqual(expected);
  });
});
