import { onScopeDispose, type Ref, shallowRef } from "vue";
import type { ApiError } from "../api/errors";
import type { Status } from "../api/types";
import { asApiError } from "./useSearch";

const BUSY_MS = 1500;
const CALM_MS = 15_000;

/** The service's state, asked more often while something is going on and never while hidden. */
export function useStatus(ask: (signal: AbortSignal) => Promise<Status>) {
  const status = shallowRef<Status | null>(null);
  const failure = shallowRef<ApiError | null>(null);
  const stopped = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function refresh(): Promise<void> {
    clearTimeout(timer);
    if (!document.hidden) await askOnce();
    if (!stopped.signal.aborted) timer = setTimeout(() => void refresh(), pause());
  }

  async function askOnce(): Promise<void> {
    try {
      status.value = await ask(stopped.signal);
      failure.value = null;
    } catch (error) {
      if (!stopped.signal.aborted) failure.value = asApiError(error);
    }
  }

  function pause(): number {
    const busy =
      failure.value !== null ||
      status.value?.indexing.state === "running" ||
      status.value?.models.state === "loading";
    return busy ? BUSY_MS : CALM_MS;
  }

  const onShown = () => void (document.hidden || refresh());
  document.addEventListener("visibilitychange", onShown);
  onScopeDispose(() => {
    stopped.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onShown);
  });
  void refresh();
  return { status: status as Readonly<Ref<Status | null>>, failure, refresh };
}
