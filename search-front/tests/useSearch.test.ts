import { effectScope, nextTick, shallowRef } from "vue";
import { describe, expect, it } from "vitest";
import { ApiError } from "../src/api/errors";
import { type Asked, NO_FILTERS } from "../src/api/search";
import type { Hit, SearchAnswer } from "../src/api/types";
import { above, below, foundFrom, histogram, mayReach, near, strongCount, withPage } from "../src/composables/found";
import { type Place, type SearchPlace, START } from "../src/composables/place";
import type { Address } from "../src/composables/useAddress";
import { useSearch } from "../src/composables/useSearch";

function hit(key: string, score: number): Hit {
  const match = { object_id: `${key}-001`, kind: "object" as const, label: "cat", confidence: 0.9 };
  return {
    image_key: key,
    score,
    image_url: `/objects/${key}`,
    thumbnail_url: `/thumbnails/512/${key}`,
    thumbnails: [{ width: 256, url: `/thumbnails/256/${key}` }],
    width: 4,
    height: 3,
    folded: 0,
    matches: [{ ...match, box: [0, 0, 1, 1], score, crop_url: "/crops" }],
  };
}

function answer(queryId: string | null, hits: Hit[], next: string | null = null): SearchAnswer {
  const timings_ms = { decode: 0, detect: 0, embed: 0, search: 0, total: 0 };
  const searched = { box: [0, 0, 1, 1] as [number, number, number, number], label: "cat" };
  const query = { width: 4, height: 3, objects: [], searched };
  return { query, hits, facets: {}, query_id: queryId, next_cursor: next, timings_ms, folded: 0 };
}

/** A service whose answers the test gives when it likes. */
class Service {
  asked: { asked: Asked | string; signal: AbortSignal; give(a: SearchAnswer): void; fail(e: unknown): void }[] = [];

  private wait(asked: Asked | string, signal: AbortSignal): Promise<SearchAnswer> {
    return new Promise((give, fail) => this.asked.push({ asked, signal, give, fail }));
  }
  search = (asked: Asked, _f: unknown, _l: number, signal: AbortSignal) => this.wait(asked, signal);
  nextPage = (cursor: string, signal: AbortSignal) => this.wait(cursor, signal);

  at(index: number) {
    const found = this.asked.at(index);
    if (!found) throw new Error(`nothing was asked at ${index}`);
    return found;
  }
}

function begin(place: Place = START) {
  const current = shallowRef<Place>(place);
  const visited: Place[] = [];
  const move = (to: Place) => {
    visited.push(to);
    current.value = to;
  };
  const address: Address = { place: current, go: move, replace: move };
  const service = new Service();
  const scope = effectScope();
  const search = scope.run(() => useSearch(address, service));
  if (!search) throw new Error("no scope");
  return { current, visited, service, search, scope };
}

const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await nextTick();
};
const at = (id: string): SearchPlace => ({
  ...START,
  question: { by: "query", id, box: null, whole: false },
});
const picture: Asked = { by: "picture", file: new Blob(["x"]), name: "x.jpg" };

describe("state of a search", () => {
  it("is idle without a question", () => {
    expect(begin().search.state.value).toEqual({ status: "idle" });
  });

  it("goes from loading to done and gives a new picture its address, asking once", async () => {
    const { search, service, visited } = begin();
    const named: (string | null)[] = [];
    void search.ask(picture, (found) => named.push(found.queryId));
    expect(search.state.value.status).toBe("loading");
    service.at(0).give(answer("q1", [hit("a", 0.9)]));
    await settle();
    expect(search.state.value).toMatchObject({ status: "done", more: "idle" });
    expect(visited).toEqual([at("q1")]);
    expect(named).toEqual(["q1"]);
    expect(service.asked).toHaveLength(1);
  });

  it("stays where it is when the service could not keep the picture", async () => {
    const { search, service, visited } = begin();
    void search.ask(picture, () => undefined);
    service.at(0).give(answer(null, [hit("a", 0.9)]));
    await settle();
    expect(search.state.value.status).toBe("done");
    expect(visited).toEqual([]);
  });

  it("calls nobody back from another page, and shows the answer on return", async () => {
    const { service, search, current, visited } = begin();
    void search.ask({ by: "url", url: "https://pictures.example/a.jpg" }, () => undefined);
    current.value = { page: "add" };
    await settle();
    service.at(0).give(answer("q1", [hit("a", 0.9)]));
    await settle();
    expect(current.value).toEqual({ page: "add" });
    expect(visited).toEqual([]);
    current.value = START;
    await settle();
    expect(current.value).toEqual(at("q1"));
    expect(search.state.value).toMatchObject({ status: "done", found: { queryId: "q1" } });
    expect(service.asked).toHaveLength(1);
  });

  it("drops a late answer and aborts its request", async () => {
    const { search, service, current } = begin(at("old"));
    current.value = at("new");
    await settle();
    expect(service.at(0).signal.aborted).toBe(true);
    service.at(1).give(answer("new", [hit("n", 0.8)]));
    await settle();
    service.at(0).give(answer("old", [hit("o", 0.7)]));
    await settle();
    expect(search.state.value).toMatchObject({ found: { queryId: "new" } });
  });

  it("drops a late failure", async () => {
    const { search, service, current } = begin(at("old"));
    current.value = at("new");
    await settle();
    service.at(0).fail(new ApiError(500, "x", "late"));
    service.at(1).give(answer("new", []));
    await settle();
    expect(search.state.value.status).toBe("done");
  });

  it("goes back without asking again", async () => {
    const { search, service, current } = begin(at("one"));
    service.at(0).give(answer("one", [hit("a", 0.9)]));
    await settle();
    current.value = at("two");
    await settle();
    service.at(1).give(answer("two", []));
    await settle();
    current.value = at("one");
    await settle();
    expect(search.state.value).toMatchObject({ status: "done", found: { queryId: "one" } });
    expect(service.asked).toHaveLength(2);
  });

  it("keeps the error and can try again", async () => {
    const { search, service } = begin(at("one"));
    service.at(0).fail(new ApiError(503, "not_ready", "not yet"));
    await settle();
    const { value } = search.state;
    if (value.status !== "error") throw new Error(value.status);
    expect(value.error.code).toBe("not_ready");
    value.retry();
    service.at(1).give(answer("one", []));
    await settle();
    expect(search.state.value.status).toBe("done");
  });

  it("loads pages once at a time and shows no picture twice", async () => {
    const { search, service } = begin(at("one"));
    service.at(0).give(answer("one", [hit("a", 0.9), hit("b", 0.8)], "c1"));
    await settle();
    void search.more();
    void search.more();
    expect(service.asked).toHaveLength(2);
    expect(service.at(1).asked).toBe("c1");
    service.at(1).give(answer("one", [hit("b", 0.8), hit("c", 0.7)]));
    await settle();
    const { value } = search.state;
    if (value.status !== "done") throw new Error(value.status);
    expect(value.found.hits.map(({ image_key }) => image_key)).toEqual(["a", "b", "c"]);
    await search.more();
    expect(service.asked).toHaveLength(2);
  });

  it("keeps what it has when a page fails, and asks anew on demand", async () => {
    const { search, service } = begin(at("one"));
    service.at(0).give(answer("one", [hit("a", 0.9)], "c1"));
    await settle();
    void search.more();
    service.at(1).fail(new ApiError(410, "cursor_expired", "old"));
    await settle();
    expect(search.state.value).toMatchObject({ more: { code: "cursor_expired" } });
    search.again();
    expect(service.at(2).asked).toMatchObject({ by: "query", id: "one" });
  });

  it("forgets a deleted picture, in what is shown and in what is kept", async () => {
    const { search, service } = begin(at("one"));
    service.at(0).give(answer("one", [hit("a", 0.9), hit("b", 0.8)]));
    await settle();
    search.forget("a");
    expect(search.state.value).toMatchObject({ found: { hits: [{ image_key: "b" }] } });
  });

  it("can be stopped, and asked again", async () => {
    const { search, service } = begin(at("one"));
    search.stop();
    expect(service.at(0).signal.aborted).toBe(true);
    const { value } = search.state;
    if (value.status !== "error") throw new Error(value.status);
    expect(value.error.code).toBe("stopped");
    service.at(0).give(answer("one", [hit("late", 0.9)]));
    await settle();
    expect(search.state.value.status).toBe("error");
    value.retry();
    service.at(1).give(answer("one", [hit("a", 0.9)]));
    await settle();
    expect(search.state.value).toMatchObject({ found: { hits: [{ image_key: "a" }] } });
  });

  it("aborts what runs when the page goes", () => {
    const { service, scope } = begin(at("one"));
    scope.stop();
    expect(service.at(0).signal.aborted).toBe(true);
  });
});

describe("what was found", () => {
  const found = foundFrom(answer("q", [hit("a", 0.9), hit("b", 0.4)]));

  it("is cut at a score", () => {
    expect(above(found.hits, null)).toHaveLength(2);
    expect(above(found.hits, 0.5).map(({ image_key }) => image_key)).toEqual(["a"]);
    expect(above([], 0.5)).toEqual([]);
  });

  it("names what the cut hides", () => {
    expect(below(found.hits, null)).toEqual([]);
    expect(below(found.hits, 0.5).map(({ image_key }) => image_key)).toEqual(["b"]);
  });

  it.each([
    [[], []],
    [[0.4], [0.4]],
    [[0.9, 0.85, 0.5], [0.9, 0.85]],
    [[0.31, 0.3, 0.22, 0.1], [0.31, 0.3, 0.22]],
  ])("keeps of the matches %j those near the best", (scores, expected) => {
    const [match] = hit("a", 1).matches;
    if (!match) throw new Error("a hit without a match");
    expect(near(scores.map((score) => ({ ...match, score }))).map((m) => m.score)).toEqual(expected);
  });

  it("says where the weak matches begin", () => {
    const level = (match: NonNullable<Hit["match"]> | null) => ({ ...hit("a", 0.5), match });
    expect(strongCount([])).toBe(0);
    expect(strongCount([level("weak"), level("weak")])).toBe(0);
    expect(strongCount([level("same"), level("weak"), level("similar"), level("weak")])).toBe(3);
    expect(strongCount([level(null), level(null)])).toBe(2);
  });

  it("draws no weak match beside a good one", () => {
    const [match] = hit("a", 1).matches;
    if (!match) throw new Error("a hit without a match");
    const of = (score: number, level: NonNullable<Hit["match"]>) => ({ ...match, score, match: level });
    expect(near([of(0.5, "similar"), of(0.45, "weak")]).map((m) => m.score)).toEqual([0.5]);
    expect(near([of(0.3, "weak"), of(0.28, "weak")]).map((m) => m.score)).toEqual([0.3]);
  });

  it.each([
    [null, true],
    [0.5, true],
    [0.95, false],
  ])("asks for further pages while the last one reaches the cut %j", (floor, expected) => {
    expect(mayReach(found.hits, floor, 24)).toBe(expected);
  });

  it("grows by pages", () => {
    expect(withPage(found, answer("q", [], null))).toEqual(found);
  });

  it.each([
    [[], [0, 0]],
    [[0, 0.4, 0.6, 1], [2, 2]],
    [[-3, 9], [1, 1]],
  ])("counts scores in steps: %j", (scores, expected) => {
    expect(histogram(scores, 0, 1, 2)).toEqual(expected);
  });

  it("has no filters to begin with", () => {
    expect(START.filters).toEqual(NO_FILTERS);
  });
});
