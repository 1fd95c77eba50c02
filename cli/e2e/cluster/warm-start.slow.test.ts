import { expect, test } from "vitest";
import { connect } from "#runtime/node";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { makeAuthority, makeCertificate } from "../../../scripts/testing/certificates.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { ask } from "../access/attached.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { StatorProcess } from "../stator-process.ts";

// A gateway takes over what another one knows, on planes other than plain TCP.

const folder = temporaryFolder();

/** A gateway learns a prompt, another one joins with the same flags and knows it. @returns the first one */
async function takeOver(...flags: string[]): Promise<StatorProcess> {
  const engine = await StandInProcess.start("vllm", "--kv-port=0");
  const args = ["attach", engine.url, "--port=0", "--config=none", "--log-level=debug", ...flags];
  const overlap = async (gateway: StatorProcess) => {
    const [, url] = await gateway.printed(/Send requests to (http:\/\/[^\s/]+)/);
    const { headers } = await ask(`${url}/v1/completions`, {
      json: { model: "tiny", prompt: "Once upon a time, ".repeat(20), max_tokens: 1 },
      headers: { "x-stator-explain": "true" },
    });
    return Number(headers.get("x-stator-overlap-blocks"));
  };
  const first = new StatorProcess(args);
  await expect.poll(() => overlap(first)).toBeGreaterThan(10);
  const second = new StatorProcess(args);
  await second.printed(/took over what another gateway knows of .* workers=1/);
  expect(await overlap(second)).toBeGreaterThan(10);
  expect(await second.stop()).toBe(0);
  return first;
}

test.skipIf(!hasNats)("over NATS", async () => {
  await using nats = await startNats();
  const first = await takeOver(`--discovery=nats://${nats.host}`, "--peer-listen=nats:");
  expect(await first.stop()).toBe(0);
});

test("with mutual TLS, which strangers do not pass", async () => {
  const authority = await makeAuthority(folder, "authority");
  const { cert, key } = await makeCertificate(folder, "gateway", authority);
  const first = await takeOver(
    `--discovery=file:${folder}/discovery`,
    `--worker-ca=${authority.cert}`,
    `--worker-tls-cert=${cert}`,
    `--worker-tls-key=${key}`,
  );
  const [, address] = await first.printed(/listening for other gateways address=(tls:\S+)/);
  const reached = async () => {
    const client = await connect(address!, { tls: { ca: authority.cert } });
    // The server's refusal of a missing certificate arrives after the client's handshake.
    const reason = await client.closed;
    if (reason !== undefined) throw reason;
  };
  await expect(reached()).rejects.toThrow();
  expect(await first.stop()).toBe(0);
});
