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

/** Ids of the fixture's form: "id*count" or a text, with | between them, and "times(…)" around what repeats. */
export function spelled(answer: string, texts: ReadonlyMap<string, readonly number[]>): number[] {
  const parts = answer.matchAll(/(?<times>\d+)\((?<inner>[^)]*)\)|(?<id>\d+)\*(?<count>\d+)|(?<text>[^|]+)/g);
  return Array.from(parts, ({ groups = {} }) => {
    const { times, inner = "", id, count, text = "" } = groups;
    if (times !== undefined) return Array.from({ length: Number(times) }, () => spelled(inner, texts)).flat();
    return id === undefined ? [...texts.get(text)!] : new Array<number>(Number(count)).fill(Number(id));
  }).flat();
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
