/** Which of several sizes of a picture to load. */
export interface Sized {
  width: number;
  url: string;
}

/** The narrowest picture that covers some device pixels; the widest where none does. */
export function covering(sizes: readonly Sized[], pixels: number): Sized | null {
  return sizes.find(({ width }) => width >= pixels) ?? sizes.at(-1) ?? null;
}

/** The same sizes as an `srcset`. */
export function srcset(sizes: readonly Sized[]): string {
  return sizes.map(({ url, width }) => `${url} ${width}w`).join(", ");
}
