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
    const stator = start("--events=nats:");
    const url = await stator.url();
    const [, other] = await stator.printed(/other gateway +(http:\S+)\/v1/);
    const [, discovery] = await stator.printed(/discovery +(etcd:\S+)/);
    for (const gateway of [url, other!]) {
      const { status } = await ask(`${gateway}/v1/completions`, {
        json: { model: "default", prompt: "Once", max_tokens: 4 },
      });
      expect(status).toBe(200);
    }
    const { data } = (await (await fetch(`${other}/admin/workers`)).json()) as {
      data: { kv_events: { kind: string } }[];
    };
    expect(data.map((worker) => worker.kv_events.kind)).toEqual(["stream", "stream"]);
    const guest = new StatorProcess([
      "worker",
      "mocker",
      "--name=guest",
      "--config=none",
      `--discovery=${discovery}`,
    ]);
    await stator.printed(/worker joined worker=guest/);
    expect(await guest.stop()).toBe(0);

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
