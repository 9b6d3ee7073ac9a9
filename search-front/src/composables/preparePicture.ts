import { SENT_SIDE, sentSize } from "../geometry/shrink";
import type { Size } from "../geometry/boxes";

/** A picture ready to be sent and shown. */
export interface PreparedPicture {
  file: Blob;
  name: string;
  /** Address to show it at; null when this browser cannot show its format (the API may). */
  src: string | null;
  /** Size of what is sent, upright; null when only the API can tell. */
  size: Size | null;
}

const JPEG_QUALITY = 0.92;

/** Turn upright, shrink to what the detector needs, and make it showable at once. */
export async function preparePicture(file: File): Promise<PreparedPicture> {
  const bitmap = await decode(file);
  if (bitmap === null) return { file, name: file.name, src: null, size: null };
  const full = { width: bitmap.width, height: bitmap.height };
  const size = sentSize(full);
  const small = Math.max(full.width, full.height) <= SENT_SIDE;
  const sent = small ? file : await redraw(bitmap, size);
  bitmap.close();
  return { file: sent, name: file.name, src: URL.createObjectURL(sent), size };
}

async function decode(file: File): Promise<ImageBitmap | null> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

async function redraw(bitmap: ImageBitmap, { width, height }: Size): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser gives no canvas");
  context.fillStyle = "#fff"; // JPEG knows no transparency
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
}
