import { AutomatonError } from "../automata/automaton.ts";
import type { Ranges } from "../automata/ranges.ts";

/** A regular expression. */
export type Pattern =
  | { readonly kind: "class"; readonly ranges: Ranges }
  | { readonly kind: "sequence"; readonly parts: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  /** `most` can be infinite. */
  | { readonly kind: "repeat"; readonly body: Pattern; readonly least: number; readonly most: number }
  /** `^` and `$`. */
  | { readonly kind: "start" | "end" };

/** What a regular expression has that cannot be honoured. */
export class PatternError extends AutomatonError {}
