/** For tests: hosts as network namespaces on wires that can be cut, slow or lossy. Needs root, `ip` and Python. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const WIRE = fileURLToPath(new URL("wire.py", import.meta.url));

/** The faults of a wire. */
export interface WireFault {
  /** One-way latency in seconds. */
  readonly delay?: number;
  /** Share of lost packets, 0 to 1. */
  readonly loss?: number;
  /** The directions that lose all packets: `in` from the host, `out` to it. */
  readonly cut?: "none" | "in" | "out" | "both";
  /** Bytes per second; 0 for no limit. */
  readonly rate?: number;
}

const NO_FAULT: WireFault = { delay: 0, loss: 0, cut: "none", rate: 0 };

const runs = (command: string, ...args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** Whether this machine supports such hosts. */
export const hasNetworks =
  process.getuid?.() === 0 &&
  existsSync("/dev/net/tun") &&
  runs("ip", "netns", "list") &&
  runs("python3", "--version");

let hosts = 0;

export class TestHost implements AsyncDisposable {
  /** The host's own address. */
  readonly address: string;
  /** This machine's address on the wire. */
  readonly gateway: string;
  readonly #name: string;
  #wire: ChildProcess | undefined;

  private constructor(name: string, index: number) {
    this.#name = name;
    const subnet = `10.${64 + (process.pid % 128)}.${index % 250}`;
    this.gateway = `${subnet}.1`;
    this.address = `${subnet}.2`;
  }

  static async create(): Promise<TestHost> {
    const index = ++hosts;
    const host = new TestHost(`st${process.pid}-${index}`, index);
    execFileSync("ip", ["netns", "add", host.#name]);
    await host.#connect();
    return host;
  }

  /** The command prefix that runs a program on the host. */
  get launcher(): readonly string[] {
    return ["ip", "netns", "exec", this.#name];
  }

  /** Applies a fault to the wire. */
  async change(fault: WireFault): Promise<void> {
    await this.#send(fault);
  }

  heal(): Promise<void> {
    return this.#send(NO_FAULT);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const wire = this.#wire;
    if (wire !== undefined && wire.exitCode === null) {
      const ended = new Promise((resolve) => wire.once("exit", resolve));
      wire.stdin!.end();
      await ended;
    }
    execFileSync("ip", ["netns", "delete", this.#name]);
  }

  async #connect(): Promise<void> {
    const wire = spawn("python3", [WIRE, this.#name, this.gateway, this.address], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#wire = wire;
    await this.#replied("ready");
  }

  async #send(fault: WireFault): Promise<void> {
    const replied = this.#replied("changed");
    this.#wire!.stdin!.write(`${JSON.stringify(fault)}\n`);
    await replied;
  }

  #replied(word: string): Promise<void> {
    const wire = this.#wire!;
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error("The wire has ended."));
      wire.once("exit", ended);
      wire.stdout!.once("data", (chunk) => {
        wire.off("exit", ended);
        if (String(chunk).includes(word)) resolve();
        else reject(new Error(`The wire printed ${chunk}.`));
      });
    });
  }
}
