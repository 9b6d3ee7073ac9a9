import { describe, expect, it } from "vitest";
import { ApiError, errorFromBody, isAborted, OFFLINE, UNREADABLE, wayOn } from "../src/api/errors";
import { errorDetail, errorText } from "../src/texts";

describe("errors", () => {
  it.each([
    ["the API's own", '{"code":"x","message":"m","details":{}}', "x"],
    ["a page of something in between", "<html>", UNREADABLE],
    ["JSON of another form", '{"error":1}', UNREADABLE],
    ["nothing", "", UNREADABLE],
  ])("are read from %s", (_name, body, code) => {
    expect(errorFromBody(502, body, null)).toMatchObject({ status: 502, code, retryAfterS: null });
  });

  it("know how long to wait", () => {
    expect(errorFromBody(429, "", "7").retryAfterS).toBe(7);
    expect(errorFromBody(429, "", "soon").retryAfterS).toBeNull();
  });

  it("are never silent", () => {
    expect(errorText(new ApiError(0, OFFLINE, ""))).toContain("cannot be reached");
    expect(errorText(new ApiError(500, "new_code", "Words of the service."))).toBe(
      "Words of the service.",
    );
    expect(errorText(new ApiError(500, "new_code", ""))).not.toBe("");
    expect(errorDetail(new ApiError(413, "picture_too_large", "65 MB."))).toBe("65 MB.");
  });

  it.each([
    [413, "picture_too_large", "picture"],
    [413, UNREADABLE, "picture"],
    [415, "unsupported_format", "picture"],
    [422, "undecodable_picture", "picture"],
    [422, "invalid_box", "anew"],
    [404, "query_not_found", "anew"],
    [403, "not_allowed", "anew"],
    [429, "too_many_requests", "retry"],
    [503, "index_unavailable", "retry"],
    [0, OFFLINE, "retry"],
  ])("of status %i and code %s go on with: %s", (status, code, way) => {
    expect(wayOn(new ApiError(status, code, ""))).toBe(way);
  });

  it("are told apart from giving up", () => {
    expect(isAborted(new DOMException("", "AbortError"))).toBe(true);
    expect(isAborted(new ApiError(0, OFFLINE, ""))).toBe(false);
  });
});
