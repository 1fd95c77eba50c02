import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Question, Reply } from "./servers/parent-link.ts";

/** A server of the benchmark in its own process, so that its CPU time can be measured. */
export class ServerProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  /**
   * @param entry path of a module that calls `answerParent`
   * @param nodeArguments arguments for Node itself, such as `--cpu-prof`
   */
  constructor(entry: string, nodeArguments: readonly string[] = []) {
    this.#name = entry.slice(entry.lastIndexOf("/") + 1);
    this.#child = fork(entry, {
      execArgv: [...nodeArguments],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ("error" in reply) waiting?.reject(new Error(`${this.#name}: ${reply.error}`));
      else waiting?.resolve(reply.result);
    });
    this.#child.on("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.#name} ended.`));
    });
  }

  /** Calls a method of the process. The caller knows what it returns. */
  ask<Result>(method: string, argument?: unknown): Promise<Result> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, method, argument } satisfies Question);
    return waiting.promise as Promise<Result>;
  }

  /** CPU seconds that the process has used, user and system. */
  async cpuSeconds(): Promise<number> {
    const { user, system } = await this.ask<NodeJS.CpuUsage>("cpu");
    return (user + system) / 1e6;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 3_000);
    await exited;
    clearTimeout(late);
  }
}

export const serverEntry = (name: string) => fileURLToPath(new URL(`servers/${name}.ts`, import.meta.url));
