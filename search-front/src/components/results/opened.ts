import type { Hit } from "../../api/types";

/** A picture that is shown large, and the results it stands among. */
export interface Opened {
  key: string;
  hits: readonly Hit[];
}
