import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { hasEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { hasNats } from "../../../runtime/testing/nats-server.ts";
import { ask } from "../access/attached.ts";
import { family, gone, leftovers } from "../process-family.ts";
import { StatorProcess, startUp } from "../stator-process.ts";

// `stator up --cluster`: everything of a cluster on one machine.

const start = (...flags: string[]) =>
  startUp("--cluster", "--engine=mocker", "--speedup=0", "--slow-start=0", ...flags);

test.runIf(hasEtcd && hasNats)(
  "starts a cluster, whose gateways both answer, and ends all of it",
  async () => {
    const stator = start("--events=nats:", "--private-kv-events", "--log-level=debug");
    const url = await stator.url();
    const [, other] = await stator.printed(/other gateway +(http:\S+)\/v1/);
    const [, join] = await stator.printed(/join it +(npm run stator -- worker mocker .+)/);
    for (const name of ["gateway", "gateway-2"])
      expect(stator.stdout + stator.stderr).toMatch(new RegExp(` ${name} +listening `));
    for (const gateway of [url, other!]) {
      const { status } = await ask(`${gateway}/v1/completions`, {
        json: { model: "default", prompt: "Once", max_tokens: 4 },
      });
      expect(status).toBe(200);
    }
    // What one gateway keeps, the other has.
    const asked = { model: "default", input: "Once", max_output_tokens: 16 };
    const first = await ask(`${url}/v1/responses`, { json: asked });
    const next = { ...asked, previous_response_id: first.body.id };
    expect((await ask(`${other}/v1/responses`, { json: next })).status).toBe(200);
    const [npm, ...words] = join!.split(" ");
    const guest = new StatorProcess([...words, "--name=guest", "--config=none", "--speedup=0"], {}, [npm!]);
    await stator.printed(/worker joined worker=guest/);
    const eventsOf = async () => {
      const { data } = (await (await fetch(`${other}/admin/workers`)).json()) as {
        data: { kv_events: { kind: string }; limitations: unknown[] }[];
      };
      return data.map(({ kv_events, limitations }) => [kv_events.kind, limitations]);
    };
    // With another key, or none, they would not be read.
    await expect.poll(eventsOf).toEqual(Array(3).fill(["stream", []]));
    const guests = family(guest.pid);
    await guest.stop();
    await gone(guests);

    const all = family(stator.pid);
    expect(
      all.filter(({ command }) => /(^|\/)(etcd|nats-server) /.test(command)).length,
    ).toBeGreaterThanOrEqual(2);
    stator.signalGroup("SIGINT");
    expect(await stator.ended()).toBe(0);
    await gone(all);
    expect(leftovers(stator.pid)).toEqual([]);
    expect(stator.stdout + stator.stderr).not.toMatch(/unexpectedly|unreachable/);
  },
);

test.runIf(hasEtcd && hasNats)("leaves no server behind when it is killed", async () => {
  const stator = start();
  await stator.url();
  const all = family(stator.pid);
  stator.signal("SIGKILL");
  await stator.ended();
  await gone(all);
});

test("says which packages to install where they are missing", async () => {
  const without = { PATH: "/nowhere" };
  const stator = new StatorProcess(
    ["up", "--cluster", "--engine=mocker", "--port=0", "--config=none"],
    without,
  );
  // Debian's nats-server is found without a PATH.
  const isThere = existsSync("/usr/sbin/nats-server");
  expect(await stator.ended()).toBe(2);
  expect(stator.stderr).toContain(
    isThere
      ? "--cluster needs etcd. On Debian or Ubuntu: apt-get install etcd-server\n"
      : "--cluster needs etcd and",
  );
});
