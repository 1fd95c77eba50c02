import { expect, test } from "vitest";
import type { GenerateRequest } from "#runtime";
import { startOwnGateway } from "./own-gateway.ts";
import { COMPLETE, readStory, Storyteller } from "./storyteller.ts";

/** Notes the grammars that it gets. */
class Constrained extends Storyteller {
  readonly requests: Pick<GenerateRequest, "grammar" | "answered">[] = [];

  constructor(grammar: boolean) {
    super({ features: { logprobs: false, logitBias: false, embeddings: false, grammar } });
  }

  override generate(request: GenerateRequest, signal: AbortSignal) {
    this.requests.push({ grammar: request.grammar, answered: request.answered });
    return super.generate(request, signal);
  }
}

/** The worker that gets the first request fails after some tokens. */
async function startTwo(isSecondAble: boolean) {
  const [one, two] = [new Constrained(true), new Constrained(isSecondAble)];
  const gateway = await startOwnGateway({ one, two }, { health: { slowStartMs: 0 } });
  const fault = { kind: "throw" as const, after: 7, times: 1 };
  for (const engine of [one, two]) engine.fault = fault;
  return { gateway, one, two };
}

test("a worker that continues an answer gets its grammar, and how much of the answer there is", async () => {
  const { gateway, one, two } = await startTwo(true);
  expect(await readStory(gateway, { guided_regex: "[^x]*" })).toMatchObject(COMPLETE);
  const grammar = { gbnf: expect.stringContaining("root ::="), after: [] };
  const requests = [...one.requests, ...two.requests].sort((a, b) => a.answered! - b.answered!);
  expect(requests).toEqual([
    { grammar, answered: 0 },
    { grammar, answered: 7 },
  ]);
  expect(requests[0]!.grammar).toEqual(requests[1]!.grammar);
});

test("a worker whose engine cannot keep to grammars is not asked to", async () => {
  const { gateway, one, two } = await startTwo(false);
  expect(await readStory(gateway, { guided_regex: "[^x]*" })).toMatchObject(COMPLETE);
  expect(two.requests).toEqual([]);
  expect(one.requests.map(({ answered }) => answered)).toEqual([0, 7]);
});
