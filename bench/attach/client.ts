import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** One run of the load client, as it prints it. */
export interface ClientRun {
  answers: number;
  chunks: number;
  /** Chunks missing from answers that ended early or were invalid. */
  lostChunks: number;
  errors: number;
  firstError: string | null;
  /** From writing a request to its first chunk. */
  ttftMs: Quantiles;
  /** Between two chunks of an answer; 0 if both arrived in one read. */
  gapMs: Quantiles;
  wallSeconds: number;
  /** Of the client itself. */
  cpuSeconds: number;
}

export interface Quantiles {
  p50: number | null;
  p99: number | null;
}

/** The load client's options, with its own names. */
export interface ClientOptions {
  /** Connections are distributed among them. */
  ports: readonly number[];
  concurrency: number;
  seconds: number;
  /** 0 for no limit. */
  requests: number;
  chunks: number;
  /** The first requests are spread evenly over this time. */
  spread_us: number;
  /** Different seeds produce different prompts. */
  seed: number;
}

/** @throws Error if it cannot connect */
export async function runClient(program: string, options: ClientOptions): Promise<ClientRun> {
  const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  const child = spawn(program, ["client", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (output === "") throw new Error(errors.trim());
  return JSON.parse(output) as ClientRun;
}
