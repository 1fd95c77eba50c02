import { expect, test } from "vitest";
import { hasNats, startNatsWith } from "../testing/nats-server.ts";
import { connectToNats, parseNatsUrl } from "./connect.ts";

test.runIf(hasNats)("a connection whose login is rejected for a while comes back", async () => {
  let password = "one";
  await using server = await startNatsWith(() => ["--user", "ann", "--pass", password]);
  const connection = await connectToNats(parseNatsUrl(`//ann:one@${server.host}`), 5_000);
  const seen: string[] = [];
  const following = (async () => {
    for await (const { type } of connection.status()) seen.push(type);
  })();
  const count = (type: string) => seen.filter((each) => each === type).length;

  await server.kill();
  password = "two";
  await server.resume();
  // The client gives up after the second rejection, unless told otherwise.
  await expect.poll(() => count("error"), { timeout: 30_000 }).toBeGreaterThan(3);
  expect(connection.isClosed()).toBe(false);

  await server.kill();
  password = "one";
  await server.resume();
  await expect.poll(() => count("reconnect"), { timeout: 30_000 }).toBeGreaterThan(0);
  await connection.flush();
  await connection.close();
  await following;
});
