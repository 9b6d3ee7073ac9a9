import type { Box, Hit } from "../../api/types";

export const CROP_WIDTH = 256;

/**
 * Where the crop of a box can be had beside an original: `/objects/K` becomes
 * `/crops/256/K?box=...`. Null where originals lie on another host, whose crops need a
 * signature of their own; the browser then cuts the picture itself.
 */
export function cropAddress(imageUrl: string, box: Box): string | null {
  const path = imageUrl.split("?")[0] ?? "";
  if (!path.startsWith("/objects/")) return null;
  const sides = box.map((side) => String(Math.round(side * 100) / 100)).join(",");
  return `${path.replace("/objects/", `/crops/${CROP_WIDTH}/`)}?box=${sides}`;
}

/** The crop of a match, made by the service where that is possible. */
export function matchCrop(hit: Hit, box: Box): { src: string; cut: boolean } {
  const address = cropAddress(hit.image_url, box);
  return address ? { src: address, cut: true } : { src: hit.image_url, cut: false };
}
