import { computed, onScopeDispose, type Ref, shallowRef } from "vue";
import { type ApiError, isAborted } from "../api/errors";
import type { AddAnswer, AddedImage } from "../api/types";
import { nextBatch, sharesSent } from "./batches";
import { asApiError } from "./useSearch";

export type UploadState =
  | "waiting"
  | "sending"
  | "working"
  | "indexed"
  | "duplicate"
  | "rejected"
  | "failed";

export interface Upload {
  id: number;
  file: File;
  name: string;
  size: number;
  collection: string;
  state: UploadState;
  /** Share of the file that has left, 0 to 1. */
  sent: number;
  reason: string | null;
  imageKey: string | null;
  objects: number;
}

export type Send = (
  files: readonly File[],
  collection: string,
  onProgress: (share: number) => void,
  signal: AbortSignal,
) => Promise<AddAnswer>;

const BUSY_TRIES = 8;
const BUSY_WAIT_S = 5;

/** A list of files that goes to the index a few at a time, whatever becomes of each. */
export function useUploads(send: Send, explain: (error: ApiError) => string, onAdded: () => void) {
  const uploads = shallowRef<Upload[]>([]);
  const waitingS = shallowRef(0);
  const running = shallowRef(false);
  let stopper = new AbortController();
  let lastId = 0;

  const update = (changes: ReadonlyMap<number, Partial<Upload>>) => {
    // Files that did not change stay the same objects, so that their rows are not drawn again.
    uploads.value = uploads.value.map((u) => (changes.has(u.id) ? { ...u, ...changes.get(u.id) } : u));
  };
  const updateAll = (batch: readonly Upload[], fields: Partial<Upload>) =>
    update(new Map(batch.map(({ id }) => [id, fields])));

  function add(files: readonly File[], collection: string): void {
    const fresh = files.map((file) => toUpload(++lastId, file, collection));
    uploads.value = [...uploads.value, ...fresh];
    void run();
  }

  async function run(): Promise<void> {
    if (running.value) return;
    running.value = true;
    stopper = new AbortController();
    const { signal } = stopper;
    let alone = new Set<number>();
    let tries = 0;
    while (!signal.aborted) {
      const batch = next(alone);
      if (batch.length === 0) break;
      const error = await sendBatch(batch, signal);
      if (error === null) tries = 0;
      else if (error.status === 429 && tries++ < BUSY_TRIES) {
        updateAll(batch, { state: "waiting", sent: 0 });
        await pause(error.retryAfterS ?? BUSY_WAIT_S, signal);
      } else if (batch.length > 1 && error.status >= 400 && error.status < 500) {
        // One of them spoils the request: each gets its own.
        alone = new Set([...alone, ...batch.map(({ id }) => id)]);
        updateAll(batch, { state: "waiting", sent: 0 });
      } else updateAll(batch, { state: "failed", reason: explain(error) });
    }
    running.value = false;
  }

  function next(alone: ReadonlySet<number>): Upload[] {
    const waiting = uploads.value.filter(({ state }) => state === "waiting");
    const [first] = waiting;
    if (!first) return [];
    if (alone.has(first.id)) return [first];
    return nextBatch(waiting.filter((u) => u.collection === first.collection && !alone.has(u.id)));
  }

  /** Send a batch; null when the service answered for each file. */
  async function sendBatch(batch: Upload[], signal: AbortSignal): Promise<ApiError | null> {
    updateAll(batch, { state: "sending", sent: 0, reason: null });
    try {
      const files = batch.map(({ file }) => file);
      const onProgress = (share: number) => progress(batch, share);
      const answer = await send(files, batch[0]?.collection ?? "", onProgress, signal);
      const results = answer.images.map((row, at) => [batch[at]?.id ?? -1, outcome(row)] as const);
      update(new Map(results));
      onAdded();
      return null;
    } catch (error) {
      if (!isAborted(error)) return asApiError(error);
      updateAll(batch, { state: "waiting", sent: 0 });
      return null;
    }
  }

  function progress(batch: readonly Upload[], share: number): void {
    const shares = sharesSent(batch, share);
    const state = share >= 1 ? ("working" as const) : ("sending" as const);
    update(new Map(batch.map(({ id }, at) => [id, { sent: shares[at] ?? 0, state }])));
  }

  async function pause(seconds: number, signal: AbortSignal): Promise<void> {
    for (waitingS.value = Math.ceil(seconds); waitingS.value > 0; waitingS.value--) {
      await new Promise((done) => setTimeout(done, 1000));
      if (signal.aborted) break;
    }
    waitingS.value = 0;
  }

  function retry(ids: readonly number[]): void {
    update(new Map(ids.map((id) => [id, { state: "waiting" as const, sent: 0, reason: null }])));
    void run();
  }

  const totals = computed(() => countStates(uploads.value));
  onScopeDispose(() => stopper.abort());
  return {
    uploads: uploads as Readonly<Ref<Upload[]>>,
    totals,
    waitingS,
    running,
    add,
    retry,
    go: run,
    stop: () => stopper.abort(),
    clear: () => {
      if (!running.value) uploads.value = [];
    },
  };
}

function toUpload(id: number, file: File, collection: string): Upload {
  const name = file.webkitRelativePath || file.name;
  const begun = { state: "waiting" as const, sent: 0, reason: null, imageKey: null, objects: 0 };
  return { id, file, name, size: file.size, collection, ...begun };
}

function outcome({ status, reason, image_key, objects }: AddedImage): Partial<Upload> {
  return { state: status, sent: 1, reason, imageKey: image_key, objects };
}

export type Uploads = ReturnType<typeof useUploads>;

/** How many files are how far. */
export function countStates(uploads: readonly Upload[]) {
  const of = (...states: UploadState[]) => uploads.filter((u) => states.includes(u.state)).length;
  return {
    all: uploads.length,
    indexed: of("indexed"),
    duplicates: of("duplicate"),
    failed: of("rejected", "failed"),
    done: of("indexed", "duplicate", "rejected", "failed"),
    waiting: of("waiting"),
  };
}
