import { expect, test } from "vitest";
import { createHostResolver } from "./resolve-host.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("names are resolved two at a time, each once, and a slow one blocks only its own slot", async () => {
  const asked: string[] = [];
  const answers = new Map<string, PromiseWithResolvers<readonly string[]>>();
  const resolve = createHostResolver((host) => {
    asked.push(host);
    const answer = Promise.withResolvers<readonly string[]>();
    answers.set(host, answer);
    return answer.promise;
  });
  const [slow, b, c, again] = [resolve("slow"), resolve("b"), resolve("c"), resolve("b")];
  await nextTurn();
  expect(asked).toEqual(["slow", "b"]);
  answers.get("b")!.reject(new Error("ENOTFOUND"));
  await expect(b).rejects.toThrow("ENOTFOUND");
  await expect(again).rejects.toThrow("ENOTFOUND");
  await nextTurn();
  expect(asked).toEqual(["slow", "b", "c"]);
  answers.get("c")!.resolve(["10.0.0.1"]);
  expect(await c).toEqual(["10.0.0.1"]);
  expect(await resolve("c")).toEqual(["10.0.0.1"]);
  answers.get("slow")!.resolve([]);
  expect(await slow).toEqual([]);
  expect(asked).toEqual(["slow", "b", "c"]);
});

test("local host names resolve", async () => {
  expect(await createHostResolver()("localhost")).toContain("127.0.0.1");
});
