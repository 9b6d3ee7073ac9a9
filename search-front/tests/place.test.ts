import { describe, expect, it } from "vitest";
import { fromAddress, type Place, searchKey, type SearchPlace, START, toAddress } from "../src/composables/place";

const full: SearchPlace = {
  page: "search",
  question: { by: "query", id: "abc", box: [1, 2.5, 30, 40.25], whole: false },
  filters: {
    kinds: "object",
    labels: ["hot dog", "bus"],
    collections: ["a & b"],
    takenAfter: "2024-01-31",
    takenBefore: "2025-01-01",
    alike: true,
    looks: true,
  },
  minScore: 0.45,
  layout: "crops",
};

describe("addresses", () => {
  it.each<[string, Place]>([
    ["start", START],
    ["add", { page: "add" }],
    ["index", { page: "index" }],
    ["a query with everything", full],
    ["an object", { ...START, question: { by: "object", id: "k-001" } }],
    ["the whole picture", { ...START, question: { by: "query", id: "q", box: null, whole: true } }],
  ])("come back as they were: %s", (_name, place) => {
    expect(fromAddress(toAddress(place))).toEqual(place);
  });

  it.each([
    ["?q=a&box=1,2,3", null],
    ["?q=a&box=5,5,1,1", null],
    ["?q=a&box=x,y,z,w", null],
    ["?q=a&box=1,2,3,4,5", null],
    ["?q=a&box=1,2,3,4", [1, 2, 3, 4]],
  ])("leave out a box that makes no sense: %s", (address, box) => {
    expect(fromAddress(address)).toMatchObject({ question: { id: "a", box } });
  });

  it("leave out what makes no sense", () => {
    expect(fromAddress("?kinds=cat&min=7&after=yesterday&page=nowhere&view=3d")).toEqual(START);
  });

  it("ask anew only for what changes the answer", () => {
    expect(searchKey({ ...full, minScore: null, layout: "pictures" })).toBe(searchKey(full));
    expect(searchKey({ ...full, filters: { ...full.filters, labels: [] } })).not.toBe(
      searchKey(full),
    );
  });
});
