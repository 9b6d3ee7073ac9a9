import { computed, ref, shallowRef } from "vue";
import { reportLoggedOut } from "../api/session";
import type { Session } from "../api/types";

const RIGHTS = ["read", "write", "admin"];

/** What this visitor may do; buttons for anything else are not shown. */
export function useSession(ask: () => Promise<Session>, leave: () => Promise<void>) {
  const session = shallowRef<Session | null>(null);
  const leaving = ref(false);

  async function refresh(): Promise<void> {
    try {
      session.value = await ask();
      if (session.value.keys_required && session.value.scope === null) reportLoggedOut();
    } catch {
      // The status notice says that the service does not answer; the API refuses all the same.
    }
  }

  async function logout(): Promise<void> {
    leaving.value = true;
    try {
      await leave();
      session.value = null;
    } finally {
      leaving.value = false;
    }
  }

  /** Until it is known nothing is taken away: a service without keys allows everything. */
  const may = (right: string) =>
    session.value === null || RIGHTS.indexOf(session.value.scope ?? "") >= RIGHTS.indexOf(right);
  void refresh();
  return {
    mayAdd: computed(() => may("write")),
    mayDelete: computed(() => may("admin")),
    hasLogin: computed(() => session.value?.keys_required === true && session.value.scope !== null),
    leaving,
    refresh,
    logout,
  };
}
