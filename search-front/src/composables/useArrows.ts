import { onBeforeUnmount, onMounted } from "vue";

/** Left and right go on, unless they mean something where the focus is or in a dialog above. */
export function useArrows(step: (by: 1 | -1) => void): void {
  function key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (document.querySelectorAll("dialog[open]").length > 1) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
  }
  onMounted(() => document.addEventListener("keydown", key));
  onBeforeUnmount(() => document.removeEventListener("keydown", key));
}
