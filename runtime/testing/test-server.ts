/** For tests: a real server program, with its data in a temporary folder. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { acceptsConnections, freePort } from "../free-ports.ts";

export interface ServerProgram {
  readonly path: string;
  /** @param data a folder for the server's data */
  args(port: number, data: string): string[];
}

/** Whether the program is installed. */
export const isInstalled = (path: string): Promise<boolean> =>
  promisify(execFile)(path, ["--version"]).then(
    () => true,
    () => false,
  );

export class TestServer {
  readonly port: number;
  readonly #program: ServerProgram;
  readonly #folder = mkdtempSync(join(tmpdir(), "stator-server-"));
  #process: ChildProcess | undefined;

  private constructor(port: number, program: ServerProgram) {
    this.port = port;
    this.#program = program;
  }

  static async start(program: ServerProgram): Promise<TestServer> {
    const server = new TestServer(await freePort(), program);
    await server.resume();
    return server;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it with its previous data; resolves when it accepts connections. */
  async resume(): Promise<void> {
    const { path, args } = this.#program;
    const running = spawn(path, args(this.port, join(this.#folder, "data")), { stdio: "ignore" });
    this.#process = running;
    while (running.exitCode === null && !(await acceptsConnections(this.port)))
      await new Promise((resolve) => setTimeout(resolve, 20));
    if (running.exitCode !== null) throw new Error(`${path} ended at once.`);
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Kills it, like `kill -9`. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exit = once(running, "exit");
    running.kill("SIGKILL");
    await exit;
  }

  /** Removes its data; it must have been killed. */
  loseData(): void {
    rmSync(join(this.#folder, "data"), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
