import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** One run of the load client, as it prints it. */
export interface ClientRun {
  answers: number;
  chunks: number;
  /** Due in answers that ended early or were wrong. */
  lostChunks: number;
  errors: number;
  firstError: string | null;
  /** From the write of a request to its first chunk. */
  ttftMs: Quantiles;
  /** Between two chunks of an answer; 0 where one read brought both. */
  gapMs: Quantiles;
  wallSeconds: number;
  /** The client's own. */
  cpuSeconds: number;
}

export interface Quantiles {
  p50: number | null;
  p99: number | null;
}

/** The load client's options, by its own names. */
export interface ClientOptions {
  /** Connections are spread over them. */
  ports: readonly number[];
  concurrency: number;
  seconds: number;
  /** 0 is no bound. */
  requests: number;
  chunks: number;
  /** The first requests begin evenly over this time. */
  spread_us: number;
  /** Of the prompts: another one gives other prompts. */
  seed: number;
}

/** @throws Error where it cannot connect */
export async function runClient(program: string, options: ClientOptions): Promise<ClientRun> {
  const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  const child = spawn(program, ["client", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (output === "") throw new Error(errors.trim());
  return JSON.parse(output) as ClientRun;
}
