import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeVocabulary, type Handler, type ModelCard, type RequestPlaneServer, randomId } from "#runtime";
import { serve } from "#runtime/node";
import { bytePieces } from "../../../workers/byte-tokens.ts";
import { openEcho } from "../../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

describe("a worker that does not check its own card", () => {
  let gateway: OwnGateway;
  const servers: RequestPlaneServer[] = [];

  beforeAll(async () => {
    gateway = await startOwnGateway({});
  });

  afterAll(async () => {
    for (const server of servers) await server.close();
  });

  /** Announces a worker with the echo's card except for these fields. */
  async function announce(name: string, card: Partial<ModelCard>): Promise<void> {
    const vocabulary: Handler = (_payload, call) => {
      call.send(encodeVocabulary(bytePieces));
      call.end();
    };
    const server = await serve(`memory:${randomId()}`, { vocabulary });
    servers.push(server);
    const { address } = server;
    const full = { ...openEcho({ modelName: name }).card, ...card };
    const instance = {
      id: randomId(),
      namespace: "test",
      component: "test",
      address,
      name,
      pid: 1,
      card: full,
    };
    await gateway.discovery.put(`instances/${instance.id}`, JSON.parse(JSON.stringify(instance)));
  }

  test.each<[string, Partial<ModelCard>, string]>([
    ["no-block-size", { blockSize: undefined as unknown as number }, "card.blockSize"],
    ["wrong-checksum", { tokenizer: { kind: "worker", sha256: "0".repeat(64) } }, "tokenizer.sha256"],
    ["wrong-size", { vocabularySize: 1000 }, "vocabularySize"],
    ["wrong-template", { chatTemplate: "{% for %}" }, "chatTemplate"],
  ])("%s is refused, and its model is not served", async (name, card, field) => {
    await announce(name, card);
    const named = () => gateway.logged.filter((line) => line.worker === name);
    await expect.poll(named).toMatchObject([
      {
        level: "error",
        message: "refused a worker with an invalid model card",
        field,
        reason: expect.any(String),
      },
    ]);
    const response = await fetch(`${gateway.url}/health`);
    expect(response.status).toBe(503);
    const health = await response.json();
    expect(health.models).toEqual([]);
    expect(health.refused).toContainEqual({ name, field, reason: expect.any(String) });
    const models = await (await fetch(`${gateway.url}/v1/models`)).json();
    expect(models.data).toEqual([]);
  });
});
