/** For tests and benchmarks: an agent in a process of its own, with one memory, that does what it is told over IPC. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openTransferAgent, type TransferKind } from "./index.ts";

export interface PeerReady {
  readonly metadata: Uint8Array;
  readonly descriptor: Uint8Array;
}

export type PeerCommand =
  | { readonly command: "fill"; readonly value: number }
  | { readonly command: "content"; readonly offset: number; readonly length: number }
  | { readonly command: "notification" }
  | { readonly command: "renew" };

/** A peer's process, seen from the test. */
export class TestPeer implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(process: ChildProcess) {
    this.process = process;
    this.#exited = once(process, "exit");
  }

  /** Memory of `bytes`, each of them `value`. */
  static async start(
    kind: TransferKind | "auto",
    bytes: number,
    value: number,
  ): Promise<TestPeer & PeerReady> {
    const child = fork(fileURLToPath(import.meta.url), [kind, String(bytes), String(value)], {
      serialization: "advanced",
      execArgv: [],
    });
    const peer = new TestPeer(child);
    const [ready] = (await Promise.race([once(child, "message"), failure(child)])) as [PeerReady];
    return Object.assign(peer, ready);
  }

  /** Sends a command. @returns the answer */
  async ask(command: PeerCommand): Promise<Uint8Array> {
    const answer = Promise.race([once(this.process, "message"), failure(this.process)]);
    this.process.send(command);
    return ((await answer) as [Uint8Array])[0];
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.connected) this.process.disconnect();
    await this.#exited;
  }
}

async function failure(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, "exit");
  throw new Error(`The peer ended with ${code ?? signal} before it answered.`);
}

async function serve(kind: TransferKind | "auto", bytes: number, value: number): Promise<void> {
  const agent = await openTransferAgent({ kind, name: "peer" });
  let memory = await agent.allocate(bytes);
  memory.buffer!.fill(value);
  const notifications = agent.notifications()[Symbol.asyncIterator]();
  const answer = (message: unknown) => process.send!(message);
  process.on("message", async (asked: PeerCommand) => {
    switch (asked.command) {
      case "fill":
        memory.buffer!.fill(asked.value);
        return answer(new Uint8Array());
      case "content":
        return answer(new Uint8Array(memory.buffer!.subarray(asked.offset, asked.offset + asked.length)));
      case "notification":
        return answer((await notifications.next()).value.message);
      case "renew": {
        // The same buffer, so the same addresses.
        const buffer = memory.buffer!;
        memory[Symbol.dispose]();
        memory = await agent.register(buffer);
        return answer(memory.descriptor());
      }
    }
  });
  process.once("disconnect", () => void agent[Symbol.asyncDispose]());
  answer({ metadata: agent.metadata(), descriptor: memory.descriptor() } satisfies PeerReady);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kind, bytes, value] = process.argv.slice(2) as [TransferKind, string, string];
  await serve(kind, Number(bytes), Number(value));
}
