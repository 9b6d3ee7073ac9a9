import { onBeforeUnmount, onMounted, ref } from "vue";

/** Pictures that are dropped on or pasted into the page. */
export function useIncoming(take: (files: File[]) => void) {
  const over = ref(false);

  function onDragOver(event: DragEvent): void {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over.value = true;
  }

  function onDragLeave(event: DragEvent): void {
    if (event.relatedTarget === null) over.value = false;
  }

  async function onDrop(event: DragEvent): Promise<void> {
    over.value = false;
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const files = await droppedFiles(event.dataTransfer);
    if (files.length > 0) take(files);
  }

  function onPaste(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    take(files);
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
