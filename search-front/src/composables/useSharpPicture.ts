import { onScopeDispose, type Ref, shallowRef, watch } from "vue";
import { covering, type Sized } from "../geometry/sizes";

/** A picture at rest in the size that is shown; sharper ones replace it as it is zoomed into. */
export function useSharpPicture(
  pictures: Readonly<Ref<readonly Sized[]>>,
  original: Readonly<Ref<Sized>>,
  /** Device pixels that the picture's width takes on the screen. */
  pixels: Readonly<Ref<number>>,
) {
  const shown = shallowRef<Sized | null>(null);
  let refused = ""; // an original that this browser cannot show
  let stopped = false;

  async function sharpen(): Promise<void> {
    const all = [...pictures.value, original.value].filter(({ url }) => url !== refused);
    const wanted = covering(all, pixels.value);
    if (wanted === null || pixels.value === 0) return;
    if (shown.value === null) shown.value = wanted;
    else if (wanted.width > shown.value.width && (await loads(wanted)) && !stopped) {
      if (wanted.width > (shown.value?.width ?? 0)) shown.value = wanted;
    }
  }

  async function loads({ url }: Sized): Promise<boolean> {
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
      return [...pictures.value, original.value].some((one) => one.url === url);
    } catch {
      refused = url;
      return false;
    }
  }

  /** What is shown cannot be: fall back to the widest thumbnail. */
  function broken(): void {
    refused = shown.value?.url ?? "";
    shown.value = pictures.value.filter(({ url }) => url !== refused).at(-1) ?? null;
  }

  watch(pictures, () => {
    shown.value = null;
    void sharpen();
  });
  watch(pixels, () => void sharpen(), { immediate: true });
  onScopeDispose(() => (stopped = true));
  return { shown: shown as Readonly<Ref<Sized | null>>, broken };
}
