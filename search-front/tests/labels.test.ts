import { describe, expect, it } from "vitest";
import { type Labelled, labelWidth, readableLabels } from "../src/geometry/labels";

const frame = { width: 400, height: 300 };
const labelled = (key: string, left: number, top: number, text = "person"): Labelled => ({
  key,
  text,
  rect: { left, top, width: 50, height: 80 },
});
const shown = (...boxes: Labelled[]) => [...readableLabels(boxes, frame).keys()];

describe("labels that can be read", () => {
  it("are none without boxes", () => {
    expect(shown()).toEqual([]);
  });

  it("are all of those that lie apart", () => {
    expect(shown(labelled("a", 10, 10), labelled("b", 200, 10), labelled("c", 10, 60))).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  it("are the first of those that lie on each other", () => {
    expect(shown(labelled("first", 10, 10), labelled("second", 30, 20))).toEqual(["first"]);
  });

  it("do not need a box as wide as themselves", () => {
    expect(shown({ key: "thin", text: "toothbrush", rect: { left: 9, top: 9, width: 4, height: 40 } })).toEqual(["thin"]);
  });

  it("begin further left where the frame ends", () => {
    const at = readableLabels([labelled("edge", 390, 10)], frame).get("edge");
    expect(390 + (at ?? 0) + labelWidth("person")).toBeCloseTo(400);
  });

  it("are not those of boxes that are zoomed out of the frame", () => {
    expect(shown(labelled("above", 10, -40), labelled("below", 10, 299))).toEqual([]);
    expect(shown(labelled("left", -60, 10), labelled("right", 401, 10))).toEqual([]);
  });

  it("are none in a frame that is narrower than the word", () => {
    expect([...readableLabels([labelled("a", 0, 0)], { width: 20, height: 300 }).keys()]).toEqual([]);
  });
});
