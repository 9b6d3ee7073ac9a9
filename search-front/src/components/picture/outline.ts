import type { Box } from "../../api/types";

/** A box on a picture that can be chosen. */
export interface Outline {
  key: string;
  box: Box;
  /** What stands on it. */
  label: string;
  /** What a screen reader says. */
  name: string;
  /** It is what was searched for, or what was found. */
  strong: boolean;
}
