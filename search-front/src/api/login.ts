import { call } from "./http";
import { reportLoggedIn, reportLoggedOut } from "./session";
import type { Session } from "./types";

/** Exchange an API key for a session; the API keeps it in a cookie that scripts cannot read. */
export async function login(key: string): Promise<void> {
  await call("/v1/login", { method: "POST", body: JSON.stringify({ key }) });
  reportLoggedIn();
}

/** End the session of this browser. */
export async function logout(): Promise<void> {
  await call("/v1/logout", { method: "POST" });
  reportLoggedOut();
}

/** Whether a login is needed and what this visitor may do. */
export function session(): Promise<Session> {
  return call<Session>("/v1/session");
}
