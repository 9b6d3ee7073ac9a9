import { effectScope } from "vue";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../src/api/errors";
import type { AddedImage } from "../src/api/types";
import { BATCH_BYTES, BATCH_FILES, nextBatch, sharesSent } from "../src/composables/batches";
import { useDeletions } from "../src/composables/useDeletions";
import { type Send, useUploads } from "../src/composables/useUploads";

const file = (name: string, size = 10) => new File([new Uint8Array(size)], name);
const row = (filename: string, status: AddedImage["status"] = "indexed"): AddedImage => ({
  filename,
  status,
  image_key: status === "indexed" ? "k" : null,
  objects: 1,
  reason: status === "rejected" ? "no picture" : null,
  code: null,
});
const rows = (files: readonly File[]) => ({ images: files.map(({ name }) => row(name)) });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function begin(send: Send) {
  const uploads = effectScope().run(() => useUploads(send, (e) => e.code, () => undefined));
  if (!uploads) throw new Error("no scope");
  return uploads;
}

const states = ({ uploads }: ReturnType<typeof begin>) => uploads.value.map(({ state }) => state);

describe("batches", () => {
  it.each([
    ["nothing", [], 0],
    ["one", [1], 1],
    ["many small", Array<number>(9).fill(1), BATCH_FILES],
    ["a large one alone", [BATCH_BYTES * 2, 1], 1],
    ["until the bytes are full", [BATCH_BYTES - 1, 1, 1], 2],
  ])("take %s", (_name, sizes, count) => {
    expect(nextBatch(sizes.map((size) => ({ size })))).toHaveLength(count);
  });

  it("share progress out in order", () => {
    expect(sharesSent([{ size: 10 }, { size: 30 }], 0.5)).toEqual([1, 1 / 3]);
    expect(sharesSent([{ size: 0 }], 1)).toEqual([1]);
    expect(sharesSent([], 0.5)).toEqual([]);
  });
});

describe("uploads", () => {
  it("send a few at a time and keep each file's outcome", async () => {
    const sizes: number[] = [];
    const page = begin(async (files) => {
      sizes.push(files.length);
      return { images: files.map(({ name }) => row(name, name === "x5" ? "rejected" : "indexed")) };
    });
    page.add(Array.from({ length: 6 }, (_, at) => file(`x${at}`)), "");
    await vi.runAllTimersAsync();
    expect(sizes).toEqual([4, 2]);
    expect(page.totals.value).toMatchObject({ all: 6, indexed: 5, failed: 1, done: 6 });
    expect(page.uploads.value.at(-1)?.reason).toBe("no picture");
  });

  it("send each alone when one spoils the request", async () => {
    const page = begin(async (files) => {
      if (files.some(({ name }) => name === "bad")) throw new ApiError(413, "too_large", "");
      return rows(files);
    });
    page.add([file("a"), file("bad"), file("b")], "");
    await vi.runAllTimersAsync();
    expect(states(page)).toEqual(["indexed", "failed", "indexed"]);
  });

  it("wait as long as a busy service asks", async () => {
    let busy = true;
    const page = begin(async (files) => {
      if (busy) throw new ApiError(429, "too_many_requests", "", 3);
      return rows(files);
    });
    page.add([file("a")], "");
    await vi.advanceTimersByTimeAsync(500);
    expect(page.waitingS.value).toBe(3);
    busy = false;
    await vi.advanceTimersByTimeAsync(3500);
    expect(states(page)).toEqual(["indexed"]);
  });

  it("give up on a service that stays busy, and retry on demand", async () => {
    let busy = true;
    const page = begin(async (files) => {
      if (busy) throw new ApiError(429, "too_many_requests", "", 1);
      return rows(files);
    });
    page.add([file("a")], "");
    await vi.runAllTimersAsync();
    expect(states(page)).toEqual(["failed"]);
    busy = false;
    page.retry(page.uploads.value.map(({ id }) => id));
    await vi.runAllTimersAsync();
    expect(states(page)).toEqual(["indexed"]);
  });

  it("stop and go on", async () => {
    const page = begin(
      (files, _c, _p, signal) =>
        new Promise((done, fail) => {
          signal.addEventListener("abort", () => fail(new DOMException("", "AbortError")));
          setTimeout(() => done(rows(files)), 1000);
        }),
    );
    page.add([file("a")], "");
    await vi.advanceTimersByTimeAsync(100);
    page.stop();
    await vi.advanceTimersByTimeAsync(100);
    expect(states(page)).toEqual(["waiting"]);
    expect(page.running.value).toBe(false);
    void page.go();
    await vi.runAllTimersAsync();
    expect(states(page)).toEqual(["indexed"]);
  });
});

describe("deletions", () => {
  it("wait ten seconds, can be undone, and show a failure", async () => {
    const removed: string[] = [];
    const page = effectScope().run(() =>
      useDeletions(
        async (key) => {
          if (key === "locked") throw new ApiError(403, "not_allowed", "");
          removed.push(key);
        },
        () => undefined,
      ),
    );
    if (!page) throw new Error("no scope");
    page.schedule("kept");
    page.schedule("gone");
    page.schedule("locked");
    await vi.advanceTimersByTimeAsync(9000);
    expect(removed).toEqual([]);
    expect(page.hidden.value).toEqual(new Set(["kept", "gone", "locked"]));
    page.undo("kept");
    await vi.advanceTimersByTimeAsync(2000);
    expect(removed).toEqual(["gone"]);
    expect(page.hidden.value).toEqual(new Set());
    expect(page.deletions.value).toMatchObject([{ key: "locked", state: "failed" }]);
  });
});
