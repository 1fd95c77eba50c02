import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = join(import.meta.dirname, "..", "..");

/** The processes of the example: engines, and the gateway in front of them. */
export class Processes {
  readonly #running: ChildProcess[] = [];

  /** Starts a stand-in for an engine, and prints what it does. @returns its address */
  engine(name: string, args: readonly string[]): Promise<string> {
    const ready = Promise.withResolvers<string>();
    const script = join(ROOT, "stand-ins", "main.ts");
    const engine = this.#start(
      [script, "vllm", "--model=tiny", "--log-work", ...args],
      ["ignore", "pipe", "inherit"],
    );
    engine.once("exit", (code) => ready.reject(new Error(`The engine ${name} ended with ${code}.`)));
    createInterface({ input: engine.stdout! }).on("line", (line) => {
      const { url, did, media, promptTokens } = JSON.parse(line);
      if (url !== undefined) ready.resolve(url);
      if (did !== undefined) console.log(`  [${name}] ${sentenceOf(did, media, promptTokens)}`);
    });
    return ready.promise;
  }

  /** @param args of `stator attach` @returns its address */
  gateway(args: readonly string[]): Promise<string> {
    const ready = Promise.withResolvers<string>();
    const script = join(ROOT, "cli", "main.ts");
    const common = ["--port=0", "--config=none", "--log-format=json"];
    const gateway = this.#start([script, "attach", ...args, ...common], ["ignore", "pipe", "pipe"]);
    let printed = "";
    gateway.once("exit", (code) => ready.reject(new Error(`stator attach ended with ${code}.\n${printed}`)));
    for (const stream of [gateway.stdout!, gateway.stderr!])
      createInterface({ input: stream }).on("line", (line) => {
        printed += `${line}\n`;
        const [, url] = /Send requests to (http:\/\/[^\s/]+)\/v1/.exec(line) ?? [];
        if (url !== undefined) ready.resolve(url);
      });
    return ready.promise;
  }

  /** Stops all, and waits for their ends. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#running.splice(0).map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
      }),
    );
  }

  #start(args: readonly string[], stdio: ("ignore" | "pipe" | "inherit")[]): ChildProcess {
    const child = spawn(process.execPath, [...args], {
      stdio,
      // There is no load balancer to wait for.
      env: { ...process.env, STATOR_DRAIN_DELAY: "0" },
    });
    this.#running.push(child);
    return child;
  }
}

function sentenceOf(did: string, media: readonly string[], promptTokens: number): string {
  const list = media.length === 0 ? "no media" : media.join(", ");
  return did === "encoded" ? `encoded ${list}` : `${did} a prompt of ${promptTokens} tokens, with ${list}`;
}
