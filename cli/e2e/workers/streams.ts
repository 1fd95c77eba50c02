import { expect } from "vitest";

/** The first events of a stream; then the client leaves. */
export async function eventsUntil(response: Response, count: number): Promise<string[]> {
  expect(response.status).toBe(200);
  const events: string[] = [];
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const all = (rest + text).split(/(?<=\n\n|\r\n\r\n)/);
    rest = all.at(-1)?.endsWith("\n") ? "" : all.pop()!;
    events.push(...all);
    if (events.length >= count) break;
  }
  return events.slice(0, Math.max(count, 0));
}

/** https://en.wikipedia.org/wiki/Linear_congruential_generator */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
