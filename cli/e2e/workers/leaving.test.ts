import { expect, test } from "vitest";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { COMPLETE, PROMPT, readStory, type StoryAnswer, Storyteller } from "./storyteller.ts";

// Workers that leave in mid-answer: their answers finish in time, or move to other workers.

const STREAMS = 32;
/** The token at which answers stall while a worker leaves: in the middle of a character. */
const HELD_AT = 27;

interface Held {
  readonly gateway: OwnGateway;
  readonly engines: Readonly<Record<"one" | "two" | "three" | "four", Storyteller>>;
  readonly answers: Promise<StoryAnswer[]>;
  /** Resumes a stalled engine. */
  release(engine: Storyteller): void;
}

/** Starts streams on four workers, all of which stall. */
async function startFour(): Promise<Held> {
  const engines = {
    one: new Storyteller(),
    two: new Storyteller(),
    three: new Storyteller(),
    four: new Storyteller(),
  };
  const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 }, policy: "round-robin" });
  const gates = new Map<Storyteller, () => void>();
  for (const engine of Object.values(engines)) {
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.gateAt = HELD_AT;
    engine.gate = promise;
    gates.set(engine, resolve);
  }
  const answers = Promise.all(Array.from({ length: STREAMS }, () => readStory(gateway)));
  const held = () => Object.values(engines).reduce((sum, { waiting }) => sum + waiting, 0);
  await expect.poll(held, { timeout: 20_000 }).toBe(STREAMS);
  return { gateway, engines, answers, release: (engine) => gates.get(engine)!() };
}

const remove = ({ url }: OwnGateway, query: string) =>
  fetch(`${url}/admin/workers/one${query}`, { method: "DELETE" });

const workersOf = async ({ url }: OwnGateway) => {
  const { data } = (await (await fetch(`${url}/admin/workers`)).json()) as {
    data: { name: string; state: string; kind: string }[];
  };
  return data;
};

test("answers that a leaving worker does not finish in time continue on other workers without loss", async () => {
  const { gateway, engines, answers, release } = await startFour();
  const { one, two, three, four } = engines;
  expect(await workersOf(gateway)).toMatchObject(
    ["one", "two", "three", "four"].map((name) => ({ name, state: "ready", kind: "stator" })),
  );
  const response = await remove(gateway, "?within=0s");
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({ name: "one", state: "draining" });
  // `one` stays stalled, so its answers can only end by moving.
  await expect.poll(() => one.cancelled).toBe(STREAMS / 4);
  for (const engine of [two, three, four]) release(engine);
  for (const answer of await answers) expect(answer).toMatchObject(COMPLETE);
  await gateway.left("one");
  expect(await workersOf(gateway)).toHaveLength(3);
  const resent = [two, three, four].flatMap(({ asked }) => asked.filter((count) => count > PROMPT.length));
  expect(resent).toEqual(Array(STREAMS / 4).fill(PROMPT.length + HELD_AT));
  expect(gateway.logged).toEqual([]);
});

test("answers that finish in time stay on their worker, while new requests go elsewhere", async () => {
  const { gateway, engines, answers, release } = await startFour();
  expect((await remove(gateway, "?within=10m")).status).toBe(202);
  await expect.poll(async () => (await workersOf(gateway))[0]?.state).toBe("draining");
  for (const engine of Object.values(engines)) release(engine);
  for (const answer of await answers) expect(answer).toMatchObject(COMPLETE);
  await gateway.left("one");
  const before = engines.one.asked.length;
  expect(before).toBe(STREAMS / 4);
  for (let round = 0; round < 4; round++) expect(await readStory(gateway)).toMatchObject(COMPLETE);
  expect(engines.one.asked.length).toBe(before);
  expect(Object.values(engines).flatMap(({ asked }) => asked)).toEqual(
    Array(STREAMS + 4).fill(PROMPT.length),
  );
});

test("the only worker keeps its answers, although it is leaving", async () => {
  const engine = new Storyteller();
  const gateway = await startOwnGateway({ one: engine });
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.gateAt = HELD_AT;
  engine.gate = promise;
  const answer = readStory(gateway);
  await expect.poll(() => engine.waiting).toBe(1);
  expect((await remove(gateway, "?within=0ms")).status).toBe(202);
  await expect.poll(async () => (await workersOf(gateway))[0]?.state).toBe("draining");
  resolve();
  expect(await answer).toMatchObject(COMPLETE);
  await gateway.left("one");
});

test.each([
  ["?within=soon", 400, "within"],
  ["?within=2h", 400, "within"],
  ["?within=5s&now=true", 400, "now"],
  ["?withn=5s", 400, "withn"],
])("DELETE with %s is refused", async (query, status, param) => {
  const gateway = await startOwnGateway({ one: new Storyteller() });
  const response = await remove(gateway, query);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { param } });
  expect(await workersOf(gateway)).toMatchObject([{ state: "ready" }]);
});
