import OpenAI from "openai";
import { afterEach, describe, expect, test } from "vitest";
import { isAlive } from "../is-alive.ts";
import { until } from "./metrics.ts";
import { family, gone, leftovers, workerPid } from "./process-family.ts";
import { refusalOf } from "./refusal.ts";
import { type StatorProcess, startByNpm, startUp } from "./stator-process.ts";

/** `stator up` starts, stops, survives the death of workers, and leaves nothing behind. */
const started: StatorProcess[] = [];

function up(...args: string[]): StatorProcess {
  const stator = startUp(...args);
  started.push(stator);
  return stator;
}

afterEach(async () => {
  for (const stator of started.splice(0)) await stator.stop();
});

const client = (url: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const ask = { model: "default", prompt: "Once upon a time", max_tokens: 4, temperature: 0 };

describe("start and stop", () => {
  test("starts, answers, and drains at Ctrl-C, leaving nothing behind", async () => {
    const stator = up("--engine=echo", "--delay=20");
    const openai = client(await stator.url());
    const all = family(stator.pid);
    expect(all).toHaveLength(4);
    expect(leftovers(stator.pid)).toHaveLength(1);

    // A running answer finishes.
    const stream = await openai.completions.create({
      ...ask,
      max_tokens: 30,
      ignore_eos: true,
      stream: true,
    } as never);
    let chunks = 0;
    for await (const _ of stream as unknown as AsyncIterable<unknown>)
      if (chunks++ === 0) stator.signalGroup("SIGINT");
    expect(chunks).toBeGreaterThan(25);
    expect(await stator.ended()).toBe(0);
    await gone(all);
    expect(leftovers(stator.pid)).toEqual([]);
  });

  test("the children of a killed parent exit", async () => {
    const stator = up("--engine=echo");
    await stator.url();
    const all = family(stator.pid);
    stator.signal("SIGKILL");
    await gone(all);
    // The last child has removed their shared folder.
    expect(leftovers(stator.pid)).toEqual([]);
  });

  test("closing the terminal shuts everything down cleanly", async () => {
    const stator = up("--engine=echo");
    await stator.url();
    const all = family(stator.pid);
    stator.signalGroup("SIGHUP");
    expect(await stator.ended()).toBe(0);
    await gone(all);
    expect(leftovers(stator.pid)).toEqual([]);
  });

  test("a second Ctrl-C does not wait for running answers", async () => {
    const stator = up("--engine=echo", "--delay=50", "--context-length=4096");
    const openai = client(await stator.url());
    const all = family(stator.pid);
    const stream = await openai.completions.create({ ...ask, max_tokens: 4000, stream: true });
    const read = (async () => {
      for await (const _ of stream);
    })();
    read.catch(() => {});
    stator.signalGroup("SIGINT");
    await stator.printed(/press Ctrl-C again to stop at once/);
    // Two signals within half a second count as one; repeat until it counts as a second one.
    await until(async () => {
      if (!isAlive(stator.pid)) return true;
      stator.signalGroup("SIGINT");
      return false;
    });
    expect(await stator.ended()).toBe(130);
    await gone(all);
    expect(leftovers(stator.pid)).toEqual([]);
    await expect(read).rejects.toThrow();
  });

  test("a port in use, a bad model and bad options fail with a message and leave no processes", async () => {
    const first = up("--engine=echo");
    const { port } = new URL(await first.url());
    const failures: [string[], RegExp, number][] = [
      [
        // Before the model is even looked for.
        ["--model=/no/such/file.gguf", `--port=${port}`],
        new RegExp(`Port ${port} is taken.*--port ${Number(port) + 1}`),
        2,
      ],
      [["--model=/no/such/file.gguf"], /There is no model file \/no\/such\/file\.gguf/, 1],
      [["--model=package.json"], /package\.json is not a GGUF file/, 1],
      [["--model=hf:nonsense"], /hf:owner\/repo\/file\.gguf/, 1],
      [["--engine=lama"], /^--engine: .*Did you mean 'llama'/, 2],
      [["--wokers=3"], /Unknown option --wokers. Did you mean --workers/, 2],
      [["--workers=none"], /--workers cannot be "none": it must be a number/, 2],
      [["--port=70000"], /--port cannot be .*65535/, 2],
      [["model.gguf"], /--model model\.gguf/, 2],
    ];
    for (const [args, message, code] of failures) {
      const refusal = await refusalOf("up", "--port=0", "--config=none", ...args);
      expect([args, refusal.code]).toEqual([args, code]);
      expect(refusal.stderr).toMatch(message);
      expect(leftovers(process.pid)).toEqual([]);
    }
    const stator = up("--wokers=3");
    expect(await stator.ended()).toBe(2);
    expect(stator.stderr).toMatch(/Unknown option --wokers/);
  });
});

// `lifecycle.slow.test.ts` tests that running answers finish.
describe("npm start", () => {
  test("leaves nothing behind when npm is killed", async () => {
    const npm = startByNpm("--engine=echo");
    await npm.url();
    const all = family(npm.pid);
    const supervisor = all.find(({ command }) => command.includes("main.ts up"))!;
    npm.signal("SIGKILL");
    await gone(all);
    expect(leftovers(supervisor.pid)).toEqual([]);
  });
});

describe("a worker", () => {
  test("that is killed fails its request clearly, is set aside at once, and comes back", async () => {
    const stator = up("--engine=echo", "--delay=20", "--context-length=4096", "--drain-timeout=2");
    const url = await stator.url();
    const openai = client(url);
    const request = { model: "default", prompt: "again ", max_tokens: 4000 };
    const streams = await Promise.all(
      [0, 1].map(() =>
        openai.completions.create({ ...request, stream: true }, { headers: { "x-stator-worker": "echo-0" } }),
      ),
    );
    const whole = openai.completions.create(request, { headers: { "x-stator-worker": "echo-0" } });
    whole.catch(() => {});
    const other = await openai.completions.create(
      { ...request, max_tokens: 60, stream: true },
      { headers: { "x-stator-worker": "echo-1" } },
    );
    const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
    for (const iterator of iterators) await iterator.next();

    process.kill(workerPid(stator, "echo-0"), "SIGKILL");
    const drain = async (iterator: AsyncIterator<unknown>) => {
      while (!(await iterator.next()).done);
    };
    // A stream that has begun ends with an error event; other answers are a 502.
    for (const iterator of iterators) {
      await expect(drain(iterator)).rejects.toMatchObject({
        error: { code: "worker_failed", type: "server_error" },
      });
    }
    await expect(whole).rejects.toMatchObject({ status: 502, code: "worker_failed" });
    await expect(whole).rejects.toThrow("it can only go to the worker 'echo-0', which it names");
    await stator.printed(/warn .*request failed request=\S+ status=502 code=worker_failed/);
    expect(stator.stderr).not.toMatch(/\\n\s+at |^\s+at /m);
    // Meanwhile, no request goes to the dead worker, and the other worker's stream is unaffected.
    await openai.completions.create(ask);
    let text = "";
    for await (const chunk of other) text += chunk.choices[0]!.text;
    expect(text).toHaveLength(60);

    await stator.printed(/a child process exited unexpectedly; restarting it child=echo-0 reason=SIGKILL/);
    await until(async () => {
      const health = (await (await fetch(`${url}/health`)).json()) as {
        models: { workers: { status: string }[] }[];
      };
      return health.models[0]!.workers.filter((worker) => worker.status === "ready").length === 2;
    });
    const again = await openai.completions.create(ask, { headers: { "x-stator-worker": "echo-0" } });
    expect(again.choices[0]!.text).toBe("Once");
  });
});
