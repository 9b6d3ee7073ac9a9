import type { Size } from "./boxes";

/** The longer side that is sent: twice what the detector sees, so that crops keep detail. */
export const SENT_SIDE = 1280;

/** The size to which a picture is shrunk before it is sent; itself when it is small enough. */
export function sentSize({ width, height }: Size, side = SENT_SIDE): Size {
  const factor = Math.min(1, side / Math.max(width, height));
  return {
    width: Math.max(1, Math.round(width * factor)),
    height: Math.max(1, Math.round(height * factor)),
  };
}
