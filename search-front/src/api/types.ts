/** Names of the API's shapes as the page uses them; boxes are pixels of the upright picture. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Box = [number, number, number, number];
export type Kind = "object" | "image";
export type Kinds = Kind | "both";

/** The generated types know a box as a list; the API promises four numbers. */
type Boxed<T> = { [K in keyof T]: K extends "box" ? Box : T[K] };

export type FoundObject = Boxed<Schemas["FoundObject"]>;
export type Searched = Boxed<Schemas["Searched"]>;
export type Match = Boxed<Schemas["Match"]>;
export type IndexedEntry = Boxed<Schemas["IndexedEntry"]>;
export type Hit = Omit<Schemas["Hit"], "matches"> & { matches: Match[] };
type WithBoxes<T> = Omit<T, "objects" | "searched"> & { objects: FoundObject[]; searched: Searched };
export type Level = NonNullable<Schemas["Match"]["match"]> | null;
export type Levels = Schemas["ScoreLevels"];
export type SearchedQuery = WithBoxes<Schemas["Query"]>;
export type StoredQuery = WithBoxes<Schemas["QueryAnswer"]>;
export type SearchAnswer = Omit<Schemas["SearchAnswer"], "query" | "hits"> & {
  query: SearchedQuery;
  hits: Hit[];
};
export type IndexedImage = Omit<Schemas["ImageAnswer"], "objects"> & { objects: IndexedEntry[] };
export type ListedImage = Schemas["ListedImage"];
export type ImageList = Schemas["ImageListAnswer"];
export type AddedImage = Schemas["AddedImage"];
export type AddAnswer = Schemas["AddAnswer"];
export type LabelsAnswer = Schemas["LabelsAnswer"];
export type CollectionsAnswer = Schemas["CollectionsAnswer"];
export type Counts = Record<string, number>;
export type Session = Schemas["SessionInfo"];
export type Failure = Schemas["Failure"];
export type FailureList = Schemas["FailuresAnswer"];
export type Status = Schemas["StatusAnswer"];
