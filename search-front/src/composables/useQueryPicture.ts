import { onScopeDispose, type Ref, shallowRef, watch } from "vue";
import { isAborted } from "../api/errors";
import type { FoundObject, IndexedImage, StoredQuery } from "../api/types";
import type { Size } from "../geometry/boxes";
import { covering } from "../geometry/sizes";
import type { Place, Question } from "./place";
import type { PreparedPicture } from "./preparePicture";

export interface QueryPicture {
  src: string | null;
  /** Shown where this browser cannot show the other. */
  fallback: string | null;
  size: Size | null;
  objects: FoundObject[];
  /** The service has looked at it: its size and objects are known. */
  read: boolean;
}

export interface QueryPictureApi {
  storedQuery(id: string, signal: AbortSignal): Promise<StoredQuery>;
  image(key: string, signal: AbortSignal): Promise<IndexedImage>;
}

/** The stage is about this wide, in CSS pixels. */
const STAGE_PX = 560;

/** The picture that is searched with: shown at once when it is new, fetched when an address names it. */
export function useQueryPicture(place: Readonly<Ref<Place>>, api: QueryPictureApi) {
  const picture = shallowRef<QueryPicture | null>(null);
  const known = new Map<string, QueryPicture>();
  let fetching = new AbortController();

  /** Show a picture that is being sent. */
  function showNew(prepared: PreparedPicture): void {
    fetching.abort();
    const { src, size } = prepared;
    picture.value = { src, fallback: null, size, objects: [], read: false };
  }

  /** Show none. */
  function clear(): void {
    fetching.abort();
    picture.value = null;
  }

  /** The API has named the picture that is shown; remember it for going back. */
  function name(queryId: string | null, size: Size, objects: FoundObject[]): void {
    const src = picture.value?.src ?? null;
    picture.value = { src, fallback: null, size, objects, read: true };
    if (src !== null && queryId !== null) known.set(queryId, picture.value);
  }

  /** What is shown cannot be: show the other form of it, or say that there is none. */
  function broken(): void {
    const now = picture.value;
    if (now === null) return;
    picture.value = { ...now, src: now.fallback, fallback: null };
    for (const [id, one] of known) if (one === now) known.set(id, picture.value);
  }

  async function follow(question: Question | null): Promise<void> {
    fetching.abort();
    const earlier = question && known.get(question.id);
    if (!question || earlier) {
      picture.value = earlier ?? null;
      return;
    }
    fetching = new AbortController();
    const { signal } = fetching;
    try {
      const fetched = await fetchPicture(question, api, signal);
      known.set(question.id, fetched);
      if (!signal.aborted) picture.value = fetched;
    } catch (error) {
      // The search of the same question fails for the same reason and shows it.
      if (!signal.aborted && !isAborted(error)) picture.value = null;
    }
  }

  watch(
    () => (place.value.page === "search" ? place.value.question : undefined),
    (question, before) => {
      if (question !== undefined && question?.id !== before?.id) void follow(question);
      else if (question === null) clear();
    },
    { immediate: true },
  );
  onScopeDispose(() => fetching.abort());
  return { picture: picture as Readonly<Ref<QueryPicture | null>>, showNew, name, clear, broken };
}

async function fetchPicture(question: Question, api: QueryPictureApi, signal: AbortSignal) {
  if (question.by === "query") {
    const stored = await api.storedQuery(question.id, signal);
    return pictureOf(stored.image_url, stored.preview_url, stored, stored.objects);
  }
  const image = await api.image(imageKeyOf(question.id), signal);
  const src = covering(image.thumbnails, STAGE_PX * devicePixelRatio)?.url ?? image.thumbnail_url;
  return pictureOf(src, image.thumbnail_url, image, foundObjects(image));
}

function pictureOf(
  src: string,
  fallback: string,
  { width, height }: Size,
  objects: FoundObject[],
): QueryPicture {
  return { src, fallback, size: { width, height }, objects, read: true };
}

/** The entries of an indexed picture that are objects, in the form of a query's objects. */
export function foundObjects(image: IndexedImage): FoundObject[] {
  return image.objects.flatMap(({ box, label, confidence }) =>
    label === null || confidence === null ? [] : [{ box, label, confidence }],
  );
}

/** The picture that an object id names; its rank stands behind the last dash. */
export function imageKeyOf(objectId: string): string {
  return objectId.slice(0, objectId.lastIndexOf("-"));
}
