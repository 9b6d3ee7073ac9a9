import { onBeforeUnmount, onMounted, ref } from "vue";

/** What may come into the page. */
export interface Incoming {
  /** Never empty, but for a drop of an empty folder. */
  files: (files: File[]) => void;
  /** A link or text, where the page has a use for one. */
  text?: (text: string) => void;
}

/** Files, links and text that are dropped on or pasted into the page. */
export function useIncoming(take: Incoming) {
  const over = ref(false);

  function onDragOver(event: DragEvent): void {
    if (!isIncoming(event)) return;
    event.preventDefault();
    over.value = hasFiles(event) || take.text !== undefined;
  }

  function onDragLeave(event: DragEvent): void {
    if (event.relatedTarget === null) over.value = false;
  }

  async function onDrop(event: DragEvent): Promise<void> {
    over.value = false;
    const { dataTransfer } = event;
    if (dataTransfer === null || !isIncoming(event)) return;
    event.preventDefault(); // the browser would leave the page for what is dropped
    if (hasFiles(event)) take.files(await droppedFiles(dataTransfer));
    else take.text?.(textOf(dataTransfer));
  }

  function onPaste(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData ? textOf(event.clipboardData) : "";
    if (files.length > 0) take.files(files);
    else if (take.text && text && !isField(event.target)) take.text(text);
    else return;
    event.preventDefault();
  }

  const on = [
    ["dragover", onDragOver],
    ["dragleave", onDragLeave],
    ["drop", onDrop],
    ["paste", onPaste],
  ] as [string, EventListener][];
  onMounted(() => on.forEach(([name, listener]) => document.addEventListener(name, listener)));
  onBeforeUnmount(() => on.forEach(([name, l]) => document.removeEventListener(name, l)));
  return { over };
}

/** The address of a picture that a text may be; null for any other text. */
export function addressIn(text: string): string | null {
  return /^https?:\/\/\S+$/i.test(text) ? text : null;
}

/** True for what the page takes itself; text over a field is the field's. */
function isIncoming(event: DragEvent): boolean {
  const types = event.dataTransfer?.types ?? [];
  const isText = types.includes("text/uri-list") || types.includes("text/plain");
  return hasFiles(event) || (isText && !isField(event.target));
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** The first link of a transfer, else its text. */
function textOf(transfer: DataTransfer): string {
  const lines = transfer.getData("text/uri-list").split(/\r?\n/);
  const link = lines.find((line) => line !== "" && !line.startsWith("#"));
  return (link ?? transfer.getData("text/plain")).trim();
}

/** Every file of a drop, those inside folders too. */
async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    return [await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail))];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    // A reader gives its entries in parts and an empty part at the end.
    const part = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
    if (part.length === 0) return found;
    found.push(...(await Promise.all(part.map(filesOf))).flat());
  }
}
