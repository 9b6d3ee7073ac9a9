import { describe, expect, it } from "vitest";
import { covering, srcset } from "../src/geometry/sizes";

const sizes = [256, 512, 1024].map((width) => ({ width, url: `/thumbnails/${width}/k` }));

describe("sizes of a picture", () => {
  it.each([
    [1, 256],
    [256, 256],
    [257, 512],
    [1024, 1024],
    [5000, 1024],
  ])("%i pixels are covered by %i", (pixels, width) => {
    expect(covering(sizes, pixels)?.width).toBe(width);
  });

  it("are none where none are named", () => {
    expect(covering([], 100)).toBeNull();
    expect(srcset([])).toBe("");
  });

  it("become a srcset", () => {
    expect(srcset(sizes.slice(0, 2))).toBe("/thumbnails/256/k 256w, /thumbnails/512/k 512w");
  });
});
