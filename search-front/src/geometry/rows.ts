/** What rows of pictures are laid out in: all numbers in CSS pixels. */
export interface Room {
  width: number;
  /** How high a row is meant to be; a full one may be somewhat higher or lower. */
  height: number;
  gap: number;
}

/** A last row that nearly fills the width is stretched; a shorter one is left as high as meant. */
const STRETCH = 1.25;
/** A browser counts in 64ths of a pixel; rounded down, a full row never breaks. */
const STEP = 64;

/**
 * The width of each picture so that they stand in rows of one height, and every row but the last
 * fills the width. Where a row ends depends on what stands before and one picture after it: more
 * pictures at the end move only the last row.
 */
export function rowWidths(ratios: readonly number[], room: Room): number[] {
  const widths: number[] = [];
  let row: number[] = [];

  const fill = () => (room.width - room.gap * (row.length - 1)) / sum(row);
  function close(height: number): void {
    widths.push(...row.map((ratio) => Math.floor(ratio * height * STEP) / STEP));
    row = [];
  }

  if (room.width <= 0) return ratios.map((ratio) => ratio * room.height);
  for (const ratio of ratios) {
    const without = row.length > 0 ? fill() : Infinity;
    row.push(ratio);
    if (fill() > room.height) continue;
    if (without / room.height < room.height / fill()) {
      row.pop();
      close(without);
      row.push(ratio);
    }
    if (fill() <= room.height) close(fill());
  }
  if (row.length > 0) close(fill() <= room.height * STRETCH ? fill() : room.height);
  return widths;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
