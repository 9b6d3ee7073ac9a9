/** Every word that the page shows. */
import type { Level, Status } from "./api/types";
import { type ApiError, NO_ADDRESSES, NO_FILES, NO_PICTURE, OFFLINE, STOPPED, TIMEOUT, UNREADABLE } from "./api/errors";

const count = (n: number, one: string, many: string) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

const levels: Record<NonNullable<Level>, string> = {
  same: "the same",
  very_similar: "very similar",
  similar: "similar",
  weak: "weak",
};

/** Runs that fill or remake an index, as they are shown while they go on. */
const runs: Record<string, string> = {
  ingest: "Indexing",
  rebuild: "Making the index anew",
  reindex: "Making an index for other models",
  import: "Importing",
};

/** Seconds as a person says them. */
function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

export const texts = {
  level: levels,
  brand: "Boxseek",
  nav: {
    label: "Pages",
    search: "Search",
    add: "Add pictures",
    index: "Index",
    logout: "Log out",
    uploading: (done: number, of: number) => `${done} of ${of}`,
  },
  skip: "Skip to content",
  notices: "Notices",
  pictures: (n: number) => count(n, "picture", "pictures"),
  objects: (n: number) => count(n, "object", "objects"),
  score: (score: number) => score.toFixed(2),
  percent: (share: number) => `${Math.round(share * 100)} %`,
  close: "Close",
  retry: "Try again",
  retryIn: (seconds: number) => `Try again in ${seconds} s`,

  ask: {
    title: "Point at a thing. Find it everywhere.",
    lead: "Give a picture; every object in it becomes something you can search for.",
    drop: "Drop a picture here",
    dropAnywhere: "Drop the picture to search with it",
    paste: "or paste one from the clipboard",
    choose: "Choose a picture",
    camera: "Take a photo",
    another: "Another picture",
    address: "Picture address",
    addressHint: "https://…",
    byAddress: "Search by address",
    fromIndex: "Or begin with one of your own",
    emptyIndex: "Nothing is in the index yet.",
    emptyIndexAdd: "Add pictures",
    firstOf: (name: string, of: number) =>
      `Searching with ${name}, the first of ${of.toLocaleString("en")} files. To put them all into the index:`,
    onlyFirst: (name: string, of: number) =>
      `Searching with ${name}, the first of ${of.toLocaleString("en")} files.`,
    addAll: (n: number) => `Add all ${n.toLocaleString("en")}`,
  },

  query: {
    heading: "Search by picture",
    region: "Your picture",
    reading: "Looking for objects…",
    picture: "The picture that is searched with",
    noPreview: "This picture cannot be shown; the search can still use it.",
    cannotShow: "This picture cannot be shown.",
    noPreviewYet: "This browser cannot show this format. A preview comes with the answer.",
    fetching: "Fetching the picture…",
    anew: "New search",
    copy: "Copy link",
    copied: "Copied. It works for 24 hours.",
    notCopied: "Copy the address from the address bar.",
    found: (n: number) =>
      n === 0 ? "No objects were recognised. Draw a box around what you mean." : `${count(n, "object", "objects")} found. Choose one, or draw a box.`,
    searchFor: (label: string, confidence: number) =>
      `Search for this ${label}, ${Math.round(confidence * 100)} % sure`,
    tools: "How to choose",
    whole: "Whole picture",
    draw: "Draw a box",
    drawHint: "Drag over the picture.",
    drawKeys:
      "Or use the keys: arrows move, Shift with arrows resizes, Enter searches, Escape gives up.",
    own: "Your box. Arrows move it, Shift with arrows resizes it, Enter searches, Escape removes it.",
    searchBox: "Search this box",
    removeBox: "Remove box",
    list: "Objects in your picture",
    searched: (label: string | null) => (label ? `Searching for: ${label}` : "Searching for: your box"),
    searchedWhole: "Searching for: the whole picture",
    expired: "This picture is no longer kept. Give it again to search with another part of it.",
  },

  results: {
    region: "Results",
    loading: "Searching…",
    slow: "This takes longer than usual: the service is busy or still starting.",
    stop: "Stop searching",
    shown: (shown: number, hidden: number, more: boolean) =>
      `${count(shown, "picture", "pictures")}${more ? " so far" : ""}${hidden > 0 ? `, ${hidden.toLocaleString("en")} below the score cut` : ""}`,
    open: (rank: number, score: number, names: string, level: Level = null) =>
      `Result ${rank}, score ${score.toFixed(2)}${level ? `, ${levels[level]}` : ""}${names ? `: ${names}` : ""}. Open large`,
    weak: "Weaker matches",
    weakLead: "Only the nearest of the rest; probably other things.",
    folded: (n: number) => `+${n} alike`,
    matchName: (label: string | null, score: number) => `${label ?? "whole picture"} ${score.toFixed(2)}`,
    searchMatch: (label: string | null, score: number) =>
      `Search on from ${label ?? "whole picture"} ${score.toFixed(2)}`,
    more: "Show more",
    loadingMore: "Loading more…",
    end: "That is everything that matches.",
    wholePicture: "whole picture",
    layout: "Show as",
    layouts: { pictures: "Pictures", crops: "Crops" },
    compare: "Compare",
    brokenPicture: "This picture cannot be loaded.",
  },

  empty: {
    title: "Nothing like this here",
    onlyWeak: "These are only the nearest of what is in the index; probably other things.",
    cut: (n: number) => `${count(n, "picture lies", "pictures lie")} below your score cut.`,
    removeCut: "Show them",
    filtered: "Your filters leave nothing over.",
    removeFilters: "Clear the filters",
    try: "What may help",
    tips: [
      "Choose another object, or draw the box closer around the thing you mean.",
      "Search with the whole picture instead of one object.",
      "Add more pictures: only what is in the index can be found.",
    ],
  },

  below: {
    title: "Below the score cut",
    count: (n: number, floor: number) =>
      `${count(n, "picture", "pictures")} below ${floor.toFixed(2)}`,
    lower: (floor: number) => `Lower the cut to ${floor.toFixed(2)}`,
    open: (score: number) => `Cut off, score ${score.toFixed(2)}. Open large`,
  },

  filters: {
    region: "Filters",
    toggle: "Filters",
    active: (n: number) => `Filters (${n})`,
    kinds: "Look in",
    kind: { both: "Both", object: "Objects", image: "Pictures" },
    labels: "Labels",
    collections: "Collections",
    dates: "Taken",
    after: "from",
    before: "before",
    score: "Lowest score",
    scoreAll: "all",
    cuts: (n: number, of: number) => (n === 0 ? `Keeps all ${of} loaded` : `Hides ${n} of ${of} loaded`),
    clear: "Clear filters",
    set: "Filters that are set",
    remove: (name: string) => `Remove filter: ${name}`,
    only: { object: "objects only", image: "pictures only" },
    inCollection: (name: string) => `in ${name}`,
    since: (day: string) => `taken from ${day}`,
    until: (day: string) => `taken before ${day}`,
    alike: "near-duplicates too",
    looks: "looks alone",
    order: "Order",
    prefer: (label: string | null) => (label ? `Prefer ${label}` : "Prefer the same kind of thing"),
    fold: (n: number) =>
      n > 0 ? `Fold near-duplicates (${n.toLocaleString("en")})` : "Fold near-duplicates",
    atLeastLevel: "At least",
    atLeast: (score: number) => `score at least ${score.toFixed(2)}`,
    moreLabels: (n: number) => `${n} more`,
  },

  detail: {
    title: "Picture",
    place: (n: number, of: number, more: boolean) => `Picture ${n} of ${of}${more ? "+" : ""}`,
    objects: "Objects in this picture",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    zoomFit: "Show whole picture",
    zoomHint: "Plus and minus zoom, arrows move the picture, 0 shows all of it.",
    stage: "Picture with its objects",
    searchFor: (label: string) => `Search for this ${label}`,
    searchWhole: "Search with this picture",
    original: "Open the original",
    previous: "Previous result",
    next: "Next result",
    taken: "Taken",
    collections: "Collections",
    size: (w: number, h: number) => `${w} × ${h} pixels`,
    metadata: "Details",
    truncated: "More objects were found than are kept.",
    remove: "Delete picture",
  },

  compare: {
    title: "Side by side",
    query: "You searched for",
    match: "This was found",
    score: (score: number, level: Level) =>
      `Score ${score.toFixed(2)}${level ? `, ${levels[level]}` : ""}`,
    searchOn: "Search on from the match",
  },

  deletion: {
    pending: (seconds: number) => `Picture will be deleted in ${seconds} s.`,
    undo: "Undo",
    failed: "The picture could not be deleted.",
  },

  add: {
    title: "Add pictures",
    lead: "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC. Every object in them becomes searchable.",
    drop: "Drop pictures or folders here",
    files: "Choose pictures",
    folder: "Choose a folder",
    collection: "Collection",
    collectionHint: "optional, e.g. holidays",
    total: (done: number, of: number) => `${done} of ${count(of, "picture", "pictures")}`,
    progress: "All pictures",
    fileProgress: (name: string) => `Upload of ${name}`,
    retry: "Retry what failed",
    retryOne: "Retry",
    stop: "Stop",
    goOn: "Go on",
    clear: "Clear the list",
    waiting: (seconds: number) => `The service is busy. Going on in ${seconds} s.`,
    summary: (indexed: number, duplicates: number, failed: number) =>
      `${indexed} added, ${duplicates} already there, ${failed} not added`,
    state: {
      waiting: "waiting",
      sending: "sending",
      working: "finding objects",
      indexed: "added",
      duplicate: "already there",
      rejected: "rejected",
      failed: "failed",
    },
    find: "Show",
    list: "Files",
    notAllowed: "Your key may search, not add. Log in with a key of the scope write.",
    notListed: (n: number) => `${count(n, "file", "files")} not listed here; all are counted above.`,
  },

  index: {
    title: "What is in the index",
    pictures: "Pictures",
    objects: "Objects",
    labels: "Labels",
    collections: "Collections",
    noCollections: "No picture is in a collection.",
    models: "Models",
    detector: "Finds objects",
    embedder: "Compares them",
    origin: "Weights from",
    origins: {
      local: "a local file",
      hub: "the model hub",
      packaged: "an installed package (stand-in)",
      random: "random numbers (finds nothing)",
    } as Record<string, string>,
    precision: "Precision",
    input: "Input",
    pixels: (n: number) => `${n} px`,
    dimension: (n: number) => `${n} dimensions`,
    backends: "Kept in",
    backend: (index: string, store: string) => `index ${index}, originals ${store}`,
    gallery: "All pictures",
    openPicture: (n: number) => `Picture ${n}. Open large`,
    remove: (n: number) => `Delete picture ${n}`,
    loading: "Reading the index…",
    none: "The index is empty.",
    state: "State of the index",
    modelsState: { ready: "Models ready", loading: "Models are being loaded", failed: "No models" },
    answers: "Index answers",
    silent: "Index does not answer",
    calm: "Nothing is being indexed",
  },

  failures: {
    title: "Not brought in",
    list: "Files that could not be brought in",
    lead: "boxseek ingest SOURCE --retry-failed tries again what may work another time.",
    none: "Every file that was given to boxseek ingest is in the index.",
    state: { failed: "failed", rejected: "rejected" },
    stage: (stage: string) => `at ${stage}`,
    retryable: "may work another time",
  },

  status: {
    indexing: ({ done, total, kind, what, images_per_s, left_s }: Status["indexing"]) =>
      [
        `${runs[kind ?? "ingest"]} ${done.toLocaleString("en")} of ${total.toLocaleString("en")}`,
        what,
        images_per_s ? `${images_per_s.toFixed(1)} pictures/s` : null,
        typeof left_s === "number" ? `${duration(left_s)} left` : null,
      ]
        .filter(Boolean)
        .join(" · "),
    loading: "The models are being loaded. Searching begins in a moment.",
    failed: (reason: string | null) => `The models could not be loaded. ${reason ?? ""}`,
    gone: "The service does not answer. The page keeps trying.",
    dismiss: "Hide this notice",
  },

  login: {
    title: "Log in",
    lead: "This Boxseek asks for an API key.",
    key: "API key",
    send: "Log in",
    wrong: "This key is not valid.",
  },
};

const byCode: Record<string, string> = {
  [OFFLINE]: "The service cannot be reached. Is it running?",
  [TIMEOUT]: "The service took too long to answer.",
  [STOPPED]: "The search was stopped.",
  [NO_FILES]: "There is no file in what was dropped.",
  [NO_PICTURE]: "That is neither a picture nor the address of one.",
  [NO_ADDRESSES]: "Addresses of pictures are not fetched here. Save the picture and drop the file.",
  [UNREADABLE]: "Something between this page and the service answered instead of it.",
  picture_too_large: "This picture is too large.",
  unsupported_format: "This is not a picture of a kind that Boxseek reads.",
  undecodable_picture: "This picture is damaged and cannot be read.",
  cursor_expired: "This list is too old to go on. Search again for the rest.",
  query_not_found: "This search is no longer kept. Give the picture again.",
  object_not_found: "This object is no longer in the index.",
  image_not_found: "This picture is no longer in the index.",
  no_object_found: "No object was recognised in this picture. Draw a box, or use the whole picture.",
  address_refused: "Pictures from this address are not fetched.",
  address_unreachable: "There is no picture to be had at this address.",
  model_mismatch: "The index was made by other models than those that run now.",
  not_ready: "The models are still being loaded.",
  not_authenticated: "Please log in.",
  not_allowed: "Your key does not allow this.",
  too_many_requests: "The service is busy.",
  index_not_found: "Nothing has been indexed yet.",
  index_unavailable: "The index does not answer.",
  store_unavailable: "The store of the pictures does not answer.",
  index_full: "The index has no space left.",
  store_full: "The store of the pictures has no space left.",
};

const byStatus: Record<number, string> = {
  413: "This is too large to be sent.",
  415: "This is not a picture of a kind that Boxseek reads.",
  429: "The service is busy.",
  503: "The service is not ready yet.",
  507: "There is no space left.",
};

/** What stands on the browser's tab. */
export function pageTitle(page: "search" | "add" | "index", searched: string | null): string {
  const name = page === "search" ? searched : texts.nav[page];
  return name ? `${name} · ${texts.brand}` : texts.brand;
}

/** What to tell a person about an error: our own words first, then those of the API. */
export function errorText(error: ApiError): string {
  return byCode[error.code] ?? byStatus[error.status] ?? (error.message || byCode[UNREADABLE] || "");
}

/** The API's own words, when they say more than ours. */
export function errorDetail(error: ApiError): string {
  return byCode[error.code] || byStatus[error.status] ? error.message : "";
}
