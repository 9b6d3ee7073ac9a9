import { call } from "./http";
import { reportLoggedIn } from "./session";

/** Exchange an API key for a session; the API keeps it in a cookie that scripts cannot read. */
export async function login(key: string): Promise<void> {
  await call("/v1/login", { method: "POST", body: JSON.stringify({ key }) });
  reportLoggedIn();
}
