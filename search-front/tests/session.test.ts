import { beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../src/api/errors";
import { loggedOut, reportLoggedIn } from "../src/api/session";
import type { Session } from "../src/api/types";
import { useSession } from "../src/composables/useSession";

const settle = () => new Promise((done) => setTimeout(done));
const with_ = (scope: Session["scope"], keys_required = true) =>
  useSession(
    async () => ({ scope, keys_required }),
    async () => undefined,
  );

describe("what a visitor may do", () => {
  beforeEach(reportLoggedIn);

  it.each([
    ["read", false, false],
    ["write", true, false],
    ["admin", true, true],
  ] as const)("with the scope %s", async (scope, add, remove) => {
    const { mayAdd, mayDelete, hasLogin } = with_(scope);
    await settle();
    expect([mayAdd.value, mayDelete.value, hasLogin.value]).toEqual([add, remove, true]);
  });

  it("everything without keys, and there is nothing to log out of", async () => {
    const { mayAdd, mayDelete, hasLogin } = with_("admin", false);
    await settle();
    expect([mayAdd.value, mayDelete.value, hasLogin.value]).toEqual([true, true, false]);
  });

  it("is asked to log in where keys are required and none was given", async () => {
    with_(null);
    await settle();
    expect(loggedOut.value).toBe(true);
  });

  it("hides nothing while the service does not answer", async () => {
    const gone = () => Promise.reject(new ApiError(0, "offline", ""));
    const { mayAdd, refresh } = useSession(gone, async () => undefined);
    await refresh();
    expect(mayAdd.value).toBe(true);
    expect(loggedOut.value).toBe(false);
  });
});
