import { expect, onTestFinished, test } from "vitest";
import { TestEngine } from "../../../gateway/adapters/node/test-gateway.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";
import { readStory, STORY, type StoryAnswer, Storyteller } from "./storyteller.ts";

// Engines and workers cannot continue each other's answers, because what travels differs. If only the other kind of
// member is left when an answer breaks, the log says so.

async function start(): Promise<{ engine: TestEngine; worker: Storyteller; gateway: OwnGateway }> {
  const engine = await TestEngine.start(["story"]);
  onTestFinished(() => engine.close());
  const worker = new Storyteller();
  const gateway = await startOwnGateway(
    { own: worker },
    {
      engines: [{ url: engine.url, name: "engine" }],
      policy: "round-robin",
      health: { slowStartMs: 0 },
      requestOptions: { retries: 0 },
    },
  );
  return { engine, worker, gateway };
}

/** The answer of the broken member; the other one, to which every second request goes, answers well. */
async function brokenAnswer(gateway: OwnGateway): Promise<StoryAnswer> {
  for (;;) {
    const answer = await readStory(gateway);
    if (answer.error !== undefined) return answer;
  }
}

const reasons = ({ logged }: OwnGateway) =>
  logged
    .filter(({ message }) => message === "a broken answer was not continued elsewhere")
    .map(({ reason }) => reason);

test("an engine's answer is not continued by a worker", async () => {
  const { engine, gateway } = await start();
  engine.answer = (_request, response) => {
    const event = { choices: [{ index: 0, text: "Once" }] };
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify(event)}\n\n`, () => void engine.close());
  };
  const { text, error } = await brokenAnswer(gateway);
  expect(text).toBe("Once");
  expect(error).toMatchObject({
    code: "engine_failed",
    message: expect.stringContaining(" in the middle of its answer, which was not continued elsewhere."),
  });
  expect(reasons(gateway)).toEqual([
    "no other engine that could continue it is ready; the model's workers are, but cannot continue an engine's answer",
  ]);
});

test("a worker's answer is not continued by an engine", async () => {
  const { worker, gateway } = await start();
  worker.fault = { kind: "close", after: 20, times: 1 };
  worker.onClose = () => gateway.kill("own");
  const { text, error } = await brokenAnswer(gateway);
  expect(STORY.startsWith(text)).toBe(true);
  expect(error).toMatchObject({
    code: "worker_failed",
    message: expect.stringContaining(" in the middle of its answer, which was not continued elsewhere."),
  });
  expect(reasons(gateway)).toEqual([
    "no other worker is ready; the model's engines are, but cannot continue a worker's answer",
  ]);
});
