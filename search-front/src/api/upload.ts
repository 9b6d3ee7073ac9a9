import { ApiError, errorFromBody, OFFLINE, UNREADABLE } from "./errors";
import { reportLoggedOut } from "./session";
import type { AddAnswer } from "./types";

/** Send pictures to the index. XMLHttpRequest, because fetch tells no upload progress. */
export function upload(
  files: readonly File[],
  collection: string,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<AddAnswer> {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.webkitRelativePath || file.name);
  if (collection) form.set("collection", collection);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/images");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onerror = () => reject(new ApiError(0, OFFLINE, ""));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    request.onload = () => {
      try {
        resolve(readAnswer(request));
      } catch (error) {
        reject(error);
      }
    };
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

function readAnswer(request: XMLHttpRequest): AddAnswer {
  const { status, responseText } = request;
  if (status === 401) reportLoggedOut();
  if (status < 200 || status > 299) {
    throw errorFromBody(status, responseText, request.getResponseHeader("Retry-After"));
  }
  try {
    return JSON.parse(responseText) as AddAnswer;
  } catch {
    throw new ApiError(status, UNREADABLE, "");
  }
}
