import { expect, test } from "vitest";
import { createLogger } from "#runtime";
import { hasNats, startNatsWith } from "../../runtime/testing/nats-server.ts";
import { openGatewayEvents } from "./events-settings.ts";

test.runIf(hasNats)(
  "a gateway says once that the stream is lost, why, and that it is back once it answers",
  async () => {
    let hasJetStream = true;
    await using server = await startNatsWith((data) => (hasJetStream ? ["-js", "-sd", data] : []));
    const lines: string[] = [];
    const log = createLogger({ name: "test", write: (line) => void lines.push(line) });
    const stream = await openGatewayEvents({ events: `nats://${server.host}` }, log);
    const restart = async (withJetStream: boolean) => {
      await server.kill();
      hasJetStream = withJetStream;
      await server.resume();
    };
    await restart(false);
    await expect.poll(() => lines).toHaveLength(2);
    for (const line of lines)
      expect(line).toContain(
        "the stream of KV events is unreachable; until it is back, they come from the workers",
      );
    expect(lines[0]).toContain("the connection is lost");
    expect(lines[1]).toContain("is JetStream on (nats-server -js)?");
    expect(stream?.isConnected).toBe(false);
    await restart(true);
    await expect.poll(() => lines).toHaveLength(3);
    expect(lines[2]).toContain("the stream of KV events is reachable again");
    expect(stream?.isConnected).toBe(true);
    stream?.close();
  },
);
