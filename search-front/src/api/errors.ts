/** What went wrong with a request, in the API's one shape. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

export const OFFLINE = "offline";
export const TIMEOUT = "timeout";
export const STOPPED = "stopped";
/** What was dropped or pasted is of no use; no request was made. */
export const NO_FILES = "no_files";
export const NO_PICTURE = "no_picture";
export const NO_ADDRESSES = "no_addresses";
export const UNREADABLE = "unreadable_answer";

const GONE = new Set([
  "object_not_found",
  "query_not_found",
  "image_not_found",
  "address_refused",
]);

/** True where asking again is of no use: what was asked with is not there, or never fetched. */
export function isGone({ code }: ApiError): boolean {
  return GONE.has(code);
}

/** What the picture itself is refused for. */
const REFUSED = new Set([
  "picture_too_large",
  "unsupported_format",
  "undecodable_picture",
  "no_object_found",
]);

/** How a failed search may go on: the same again, with another picture, or with nothing of it. */
export function wayOn(error: ApiError): "retry" | "picture" | "anew" {
  const { code, status } = error;
  if (REFUSED.has(code) || status === 413 || status === 415) return "picture";
  return isGone(error) || status === 403 || status === 422 ? "anew" : "retry";
}

/** True for a request that was given up because a newer one took its place. */
export function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Read the error that an answer carries; a foreign body still becomes an ApiError. */
export function errorFromBody(status: number, body: string, retryAfter: string | null): ApiError {
  const seconds = Number(retryAfter);
  const wait = retryAfter !== null && Number.isFinite(seconds) ? seconds : null;
  try {
    const fields = JSON.parse(body) as { code?: unknown; message?: unknown };
    if (typeof fields.code === "string" && typeof fields.message === "string") {
      return new ApiError(status, fields.code, fields.message, wait);
    }
  } catch {
    // Not JSON: a proxy in between answered; its text is no help to the reader.
  }
  return new ApiError(status, UNREADABLE, "", wait);
}
