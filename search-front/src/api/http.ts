import { ApiError, errorFromBody, isAborted, OFFLINE, TIMEOUT, UNREADABLE } from "./errors";
import { reportLoggedOut } from "./session";

const TIMEOUT_MS = 60_000;

interface Call {
  method?: "GET" | "POST" | "DELETE";
  body?: FormData | string;
  signal?: AbortSignal | undefined;
}

/** Call the API and read its JSON answer; every failure is an ApiError, an abort stays one. */
export async function call<T>(path: string, options: Call = {}): Promise<T> {
  const answer = await send(path, options);
  const text = await readText(answer);
  if (!answer.ok) {
    if (answer.status === 401) reportLoggedOut();
    throw errorFromBody(answer.status, text, answer.headers.get("Retry-After"));
  }
  if (text === "") return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(answer.status, UNREADABLE, "");
  }
}

async function send(path: string, { method = "GET", body, signal }: Call): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  if (typeof body === "string") headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers,
      body: body ?? null,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    throw asApiError(error);
  }
}

async function readText(answer: Response): Promise<string> {
  try {
    return await answer.text();
  } catch (error) {
    throw asApiError(error);
  }
}

function asApiError(error: unknown): unknown {
  if (isAborted(error)) return error;
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new ApiError(0, TIMEOUT, "");
  }
  return new ApiError(0, OFFLINE, "");
}
