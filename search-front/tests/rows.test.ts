import { describe, expect, it } from "vitest";
import { rowWidths } from "../src/geometry/rows";

const room = { width: 800, height: 200, gap: 10 };

/** The rows that a browser would break these widths into. */
function rowsOf(widths: readonly number[]): number[][] {
  const rows: number[][] = [];
  let left = 0;
  for (const width of widths) {
    if (rows.length === 0 || width > left) {
      rows.push([]);
      left = room.width;
    }
    rows.at(-1)?.push(width);
    left -= width + room.gap;
  }
  return rows;
}

function filled(row: readonly number[]): number {
  return row.reduce((sum, width) => sum + width, room.gap * (row.length - 1));
}

describe("rows of pictures", () => {
  const mixed = [1.5, 0.75, 1.33, 2.5, 0.56, 6, 1, 1, 0.4, 1.78, 1.5, 0.67, 3, 1.33, 1.33];

  it("fill the width, but for the last", () => {
    const rows = rowsOf(rowWidths(mixed, room));
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows.slice(0, -1)) {
      expect(filled(row)).toBeGreaterThan(room.width - 0.2);
      expect(filled(row)).toBeLessThanOrEqual(room.width);
    }
  });

  it("have one height and keep proportions", () => {
    const widths = rowWidths(mixed, room);
    let at = 0;
    for (const row of rowsOf(widths)) {
      const heights = row.map((width) => width / (mixed[at++] ?? 1));
      expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(0.1);
    }
    expect(at).toBe(mixed.length);
  });

  it("stay as they are when more comes", () => {
    const before = rowsOf(rowWidths(mixed, room));
    const after = rowsOf(rowWidths([...mixed, 1.5, 1.5, 0.75, 0.75], room));
    expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
  });

  it("are not too high beside a panorama that would not fit", () => {
    const [first = 0] = rowWidths([1.33, 2.5, 1], room);
    expect(first / 1.33).toBeLessThan(room.height * 1.5);
  });

  it("leave a short last row as high as meant", () => {
    expect(rowWidths([1.5], room)).toEqual([300]);
    expect(rowWidths([], room)).toEqual([]);
  });

  it("have a width before the list is measured", () => {
    expect(rowWidths([1, 2], { ...room, width: 0 })).toEqual([200, 400]);
  });
});
