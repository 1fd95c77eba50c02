import { invalidRequest } from "../../kernel/errors.ts";
import type { Ranges } from "../automata/ranges.ts";

/** A part of a rule. */
export type Item =
  | { readonly kind: "text"; readonly text: string }
  /** One of these characters. */
  | { readonly kind: "class"; readonly ranges: Ranges }
  | { readonly kind: "rule"; readonly name: string }
  /** `most` can be infinite. */
  | { readonly kind: "repeat"; readonly name: string; readonly least: number; readonly most: number };

export type Sequence = readonly Item[];

export const text = (value: string): Item => ({ kind: "text", text: value });
export const oneOf = (ranges: Ranges): Item => ({ kind: "class", ranges });
export const rule = (name: string): Item => ({ kind: "rule", name });
export const repeat = (name: string, least: number, most: number): Item => ({
  ...{ kind: "repeat", name, least, most },
});

/** Most rules of a grammar. llama.cpp reads thousands of them in milliseconds. */
const MOST_RULES = 20_000;

/** The rules of a grammar while it is made: each has alternatives, none of which means that it matches nothing. */
export class Rules {
  readonly #alternatives = new Map<string, readonly Sequence[]>();
  readonly #shared = new Map<string, string>();
  #count = 0;

  /** @returns a name that no other rule has */
  reserve(hint: string): string {
    const word = hint.replaceAll(/[^A-Za-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
    if (++this.#count > MOST_RULES)
      throw invalidRequest("The schema is too large to guide an answer. Make it smaller.");
    return `${word.slice(-24) || "rule"}-${this.#count}`;
  }

  define(name: string, alternatives: readonly Sequence[]): void {
    this.#alternatives.set(name, alternatives);
  }

  add(hint: string, alternatives: readonly Sequence[]): string {
    const name = this.reserve(hint);
    this.define(name, alternatives);
    return name;
  }

  /** The rule for a key, which is defined at its first use and can refer to itself. */
  share(key: string, hint: string, define: (name: string) => readonly Sequence[]): string {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const name = this.reserve(hint);
    this.#shared.set(key, name);
    this.define(name, define(name));
    return name;
  }

  get(name: string): readonly Sequence[] {
    return this.#alternatives.get(name) ?? [];
  }

  names(): Iterable<string> {
    return this.#alternatives.keys();
  }
}
