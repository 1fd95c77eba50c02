import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { hasNats, startPlainNats } from "../../testing/nats-server.ts";
import type { TestServer } from "../../testing/test-server.ts";
import { connect } from "../client.ts";
import { serve } from "../server.ts";
import { bytes, record, text } from "../testing.ts";
import type { ServerCall } from "../types.ts";

const callerScript = fileURLToPath(new URL("../testing-caller.ts", import.meta.url));

/** URLs for two connections to the server; one URL would share a connection. */
const urls = ({ host }: TestServer) => [`nats://${host}/server`, `nats://${host}/client`] as const;

const STREAMS = 16;
const MESSAGES = 400;

/** Sends numbered messages, a few every millisecond. */
async function count(payload: Uint8Array, call: ServerCall): Promise<void> {
  for (let number = 0; number < MESSAGES; number++) {
    if (number % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    if (!call.send(bytes(`${text(payload)}:${number}`))) await call.writable();
  }
  call.end();
}

describe.runIf(hasNats)("calls over NATS", () => {
  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "lose, duplicate and reorder nothing during an outage of the server (%s)",
    async (signal) => {
      await using nats = await startPlainNats();
      const [serverUrl, clientUrl] = urls(nats);
      const server = await serve("nats:", { count }, { nats: serverUrl });
      const client = await connect(server.address, { nats: clientUrl });
      const calls = Array.from({ length: STREAMS }, (_, n) => record(client, "count", bytes(`${n}`)));
      await calls[0]!.received(MESSAGES / 4);
      if (signal === "SIGKILL") await nats.kill();
      else nats.signal("SIGSTOP");
      // Longer than the silence after which a peer is considered gone.
      await new Promise((resolve) => setTimeout(resolve, 5_500));
      if (signal === "SIGKILL") await nats.resume();
      else nats.signal("SIGCONT");
      for (const [n, call] of calls.entries()) {
        expect(await call.outcome).toBeUndefined();
        expect(call.messages.map(text)).toEqual(Array.from({ length: MESSAGES }, (_, i) => `${n}:${i}`));
      }
      expect(server.activeCalls).toBe(0);
      client.close();
      await server.close();
    },
  );

  test.each(["SIGKILL", "SIGSTOP"] as const)("abort when the client dies (%s)", async (signal) => {
    await using nats = await startPlainNats();
    const [serverUrl] = urls(nats);
    const aborted = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    const server = await serve(
      "nats:",
      {
        wait(_, call) {
          call.signal.addEventListener("abort", () => aborted.resolve(call.signal.reason));
          begun.resolve();
        },
      },
      { nats: serverUrl },
    );
    const child = spawn(process.execPath, [callerScript, server.address, "2000", serverUrl], {
      stdio: "inherit",
    });
    await begun.promise;
    child.kill(signal);
    expect(await aborted.promise).toMatchObject({ code: "connection_lost" });
    expect(server.activeCalls).toBe(0);
    child.kill("SIGKILL");
    await server.close();
  });
});
