/** Which files go together in one request, and what their answers mean. */

export const BATCH_FILES = 4;
export const BATCH_BYTES = 24 * 1024 * 1024;

export interface Sized {
  size: number;
}

/** The next files to send: a few, not many bytes; a large file goes alone. */
export function nextBatch<T extends Sized>(waiting: readonly T[]): T[] {
  const batch: T[] = [];
  let bytes = 0;
  for (const item of waiting) {
    if (batch.length === BATCH_FILES) break;
    if (batch.length > 0 && bytes + item.size > BATCH_BYTES) break;
    batch.push(item);
    bytes += item.size;
  }
  return batch;
}

/** How much of each file has left, when a share of all their bytes has, in order. */
export function sharesSent(files: readonly Sized[], share: number): number[] {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let left = total * share;
  return files.map(({ size }) => {
    const sent = Math.min(size, Math.max(0, left));
    left -= size;
    return size === 0 ? Math.min(1, share) : sent / size;
  });
}
