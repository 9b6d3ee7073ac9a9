import { call } from "./http";
import type {
  CollectionsAnswer,
  Counts,
  FailureList,
  ImageList,
  IndexedImage,
  LabelsAnswer,
  Status,
} from "./types";

/** Everything about the service at a glance. */
export function status(signal?: AbortSignal): Promise<Status> {
  return call<Status>("/v1/status", { signal });
}

/** A picture of the index and everything found in it. */
export function image(key: string, signal: AbortSignal): Promise<IndexedImage> {
  return call<IndexedImage>(`/v1/images/${encodeURIComponent(key)}`, { signal });
}

/** One page of the pictures in the index, in key order. */
export function images(cursor: string | null, signal: AbortSignal): Promise<ImageList> {
  const from = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  return call<ImageList>(`/v1/images?limit=60${from}`, { signal });
}

/** Take a picture and its objects out of the index and the store. */
export function deleteImage(key: string): Promise<unknown> {
  return call(`/v1/images/${encodeURIComponent(key)}`, { method: "DELETE" });
}

/** How many objects each label has. */
export async function labels(signal: AbortSignal): Promise<Counts> {
  return (await call<LabelsAnswer>("/v1/labels", { signal })).labels;
}

/** How many pictures each collection has. */
export async function collections(signal: AbortSignal): Promise<Counts> {
  return (await call<CollectionsAnswer>("/v1/collections", { signal })).collections;
}

/** What a backfill could not bring in, and what it refused. */
export function failures(cursor: string | null, signal: AbortSignal): Promise<FailureList> {
  const from = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  return call<FailureList>(`/v1/failures?rejected=true&limit=50${from}`, { signal });
}
