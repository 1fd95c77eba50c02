import type families from "./fixtures/tokens.json";
import type { ModelFiles } from "./index.ts";

/** One model of the fixture, and what vLLM did with its media. */
export type Recorded = (typeof families)[number];

export function filesOf({ files, tokens, texts }: Pick<Recorded, "files" | "tokens" | "texts">): ModelFiles {
  const none = { preprocessor: undefined, videoPreprocessor: undefined, processor: undefined };
  const ids = new Map(Object.entries(tokens));
  const encodings = new Map<string, number[]>(Object.entries(texts));
  return { ...none, ...files, tokenId: (text) => ids.get(text), encode: (text) => encodings.get(text) };
}

/** Ids of the fixture's form: texts, runs [id, count] and repetitions [count, run, run…]. */
export function spelled(part: unknown, texts: ReadonlyMap<string, readonly number[]>): number[] {
  if (typeof part === "string") return [...texts.get(part)!];
  if (!Array.isArray(part)) return [];
  const [first, second, ...rest]: unknown[] = part;
  if (typeof first !== "number") return part.flatMap((inner) => spelled(inner, texts));
  if (typeof second === "number") return new Array<number>(second).fill(first);
  const once = spelled([second, ...rest], texts);
  return Array.from({ length: first }, () => once).flat();
}

/** Runs of equal tokens, so that a difference is short. */
export function runsOf(tokens: Iterable<number>): string[] {
  const runs: [number, number][] = [];
  for (const token of tokens) {
    const last = runs.at(-1);
    if (last?.[0] === token) last[1] += 1;
    else runs.push([token, 1]);
  }
  return runs.map(([token, count]) => `${count} of ${token}`);
}
