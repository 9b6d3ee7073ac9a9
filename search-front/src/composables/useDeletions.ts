import { computed, onScopeDispose, type Ref, shallowRef } from "vue";
import type { ApiError } from "../api/errors";
import { asApiError } from "./useSearch";

export const UNDO_S = 10;

export interface Deletion {
  key: string;
  state: "waiting" | "deleting" | "failed";
  leftS: number;
  error: ApiError | null;
}

/** Deletions that wait ten seconds before they are done; leaving the page before undoes them. */
export function useDeletions(
  remove: (key: string) => Promise<unknown>,
  onDeleted: (key: string) => void,
) {
  const deletions = shallowRef<Deletion[]>([]);
  let timer: ReturnType<typeof setInterval> | undefined;

  const change = (key: string, fields: Partial<Deletion>) => {
    deletions.value = deletions.value.map((d) => (d.key === key ? { ...d, ...fields } : d));
  };
  const drop = (key: string) => {
    deletions.value = deletions.value.filter((d) => d.key !== key);
  };

  function schedule(key: string): void {
    drop(key);
    const fresh: Deletion = { key, state: "waiting", leftS: UNDO_S, error: null };
    deletions.value = [...deletions.value, fresh];
    timer ??= setInterval(tick, 1000);
  }

  function tick(): void {
    for (const { key, state, leftS } of deletions.value) {
      if (state !== "waiting") continue;
      if (leftS > 1) change(key, { leftS: leftS - 1 });
      else void run(key);
    }
    if (!deletions.value.some(({ state }) => state === "waiting")) {
      clearInterval(timer);
      timer = undefined;
    }
  }

  async function run(key: string): Promise<void> {
    change(key, { state: "deleting", leftS: 0 });
    try {
      await remove(key);
      onDeleted(key);
      drop(key);
    } catch (error) {
      change(key, { state: "failed", error: asApiError(error) });
    }
  }

  /** Keys that are not to be shown: they are waiting to be deleted, or being so. */
  const hidden = computed(
    () => new Set(deletions.value.filter((d) => d.state !== "failed").map((d) => d.key)),
  );
  onScopeDispose(() => clearInterval(timer));
  return { deletions: deletions as Readonly<Ref<Deletion[]>>, hidden, schedule, undo: drop };
}
