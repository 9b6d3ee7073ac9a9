import { onBeforeUnmount, onMounted, type Ref } from "vue";

/** Call when the end of a list comes near the screen; the answer looks again after a change. */
export function useInfinite(end: Readonly<Ref<HTMLElement | null>>, more: () => void): () => void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) more();
    },
    { rootMargin: "600px" },
  );
  function recheck(): void {
    observer.disconnect();
    if (end.value) observer.observe(end.value);
  }
  onMounted(recheck);
  onBeforeUnmount(() => observer.disconnect());
  return recheck;
}
