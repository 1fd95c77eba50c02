import { afterEach, beforeAll, beforeEach, expect } from "vitest";
import { stall } from "../../../scripts/testing/stall.ts";
import { ask, attach } from "../access/attached.ts";
import { metric, until } from "../metrics.ts";
import type { StatorProcess } from "../stator-process.ts";
import { enginesAreReady } from "./ready-engines.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

const STREAMS = 32;
const TOKENS = 20;
/** Long enough for a prefill engine, and different from its first block on. */
const questions = Array.from(
  { length: STREAMS + 8 },
  (_, index) => `${index} is where this begins. ${"Much is to be read before this ends. ".repeat(80)}`,
);

/** What a prefill engine has handed over. */
export interface KvCounts {
  readonly held: number;
  readonly expired: number;
  /** Reads of blocks that were another request's by then. */
  readonly readLate: number;
  readonly read: number;
}

export interface PoolsOptions {
  /** How long prefill engines hold blocks, as the gateway knows. */
  readonly leaseSeconds?: number;
  readonly firstTokenSeconds?: number;
  /** Whether the engines are restarted before each test. */
  readonly restarts?: boolean;
}

/** Two prefill and two decode engines of one kind, and a gateway in front of them, fresh for each test. */
export class Pools {
  prefill!: readonly [StandInProcess, StandInProcess];
  decode!: readonly [StandInProcess, StandInProcess];
  stator!: StatorProcess;
  url!: string;
  readonly #truth = new Map<string, string>();
  readonly #leaseSeconds: number;
  readonly #firstTokenSeconds: number;

  constructor(kind: string, options: PoolsOptions = {}) {
    const { leaseSeconds = 30, firstTokenSeconds = 2 * stall(), restarts = false } = options;
    this.#leaseSeconds = leaseSeconds;
    this.#firstTokenSeconds = firstTokenSeconds;
    const lease = `--kv-lease-ms=${leaseSeconds * 1000}`;
    const start = (role: string) => StandInProcess.start(kind, `--role=${role}`, "--inter-token-ms=5", lease);
    beforeAll(async () => {
      this.prefill = await Promise.all([start("prefill"), start("prefill")]);
      this.decode = await Promise.all([start("decode"), start("decode")]);
      const direct = await StandInProcess.start(kind);
      await Promise.all(
        questions.map(async (question) =>
          this.#truth.set(question, (await streamChat(clientOf(direct.url), question, TOKENS)).text),
        ),
      );
      await direct.kill();
    });
    beforeEach(async () => {
      if (restarts) await Promise.all(this.engines.map((engine) => engine.restartAnywhere()));
      await this.attach();
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") console.log(this.stator.stdout + this.stator.stderr);
      await this.stator.stop();
    });
  }

  get engines(): StandInProcess[] {
    return [...this.prefill, ...this.decode];
  }

  /** Starts the gateway, in place of the one that runs. */
  async attach(...flags: string[]): Promise<void> {
    await this.stator?.stop();
    const urls = (engines: readonly StandInProcess[]) => engines.map(({ url }) => url);
    const roles = ["--prefill", ...urls(this.prefill), "--decode", ...urls(this.decode)];
    const more = [
      `--first-token-timeout=${this.#firstTokenSeconds}`,
      "--health-interval=0.2",
      "--remote-prefill-max-wait=1000",
      `--engine-kv-lease=${this.#leaseSeconds}`,
    ];
    ({ stator: this.stator, url: this.url } = await attach([], ...roles, ...more, ...flags));
    await enginesAreReady(this.url, 4);
  }

  /** Runs the streams, and expects no error and the right answers. Calls `disturb` when half of them have begun. */
  async runAll(disturb?: () => Promise<void>): Promise<void> {
    let begun = 0;
    let disturbed: Promise<void> | undefined;
    await Promise.all(
      questions.slice(0, STREAMS).map(async (question) => {
        let hasBegun = false;
        const answer = await streamChat(clientOf(this.url), question, TOKENS, () => {
          if (hasBegun) return;
          hasBegun = true;
          if (++begun === STREAMS / 2) disturbed = disturb?.();
        });
        expect(answer.text, question).toBe(this.#truth.get(question));
        expect(answer.finishReason).toBe("length");
        expect(answer.usage?.completion_tokens).toBe(TOKENS);
      }),
    );
    await disturbed;
  }

  /** Asks one question, which `runAll` does not ask; expects the right answer. @returns the answer's headers */
  async askOne(index = STREAMS, more: object = {}, headers: Record<string, string> = {}): Promise<Headers> {
    const question = questions[index]!;
    const response = await fetch(`${this.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true", ...headers },
      body: JSON.stringify({
        ...{ model: "tiny", max_tokens: TOKENS, ignore_eos: true, temperature: 0 },
        messages: [{ role: "user", content: question }],
        ...more,
      }),
    });
    const answer = await response.text();
    expect(response.status, answer).toBe(200);
    expect(JSON.parse(answer).choices[0].message.content).toBe(this.#truth.get(question));
    return response.headers;
  }

  /** The sum of what the prefill engines have handed over. */
  async kv(): Promise<KvCounts> {
    const all = await Promise.all(
      this.prefill.map(async ({ url }) => (await fetch(`${url}/stand-in/kv`)).json()),
    );
    const sum = (name: keyof KvCounts) => all.reduce((total, each) => total + each[name], 0);
    return { held: sum("held"), expired: sum("expired"), readLate: sum("readLate"), read: sum("read") };
  }

  /** Asks for a short chat. */
  chat(more: object = {}) {
    const messages = [{ role: "user", content: "Hello" }];
    return ask(`${this.url}/v1/chat/completions`, { json: { model: "tiny", messages, ...more } });
  }

  /** Detaches an engine at once. */
  async detach({ name }: StandInProcess): Promise<void> {
    const { status } = await ask(`${this.url}/admin/workers/${name}?now=true`, { method: "DELETE" });
    expect(status).toBe(202);
  }

  /** @param name of an engine */
  changeRole(name: string, role: string) {
    return ask(`${this.url}/admin/workers/${name}`, { method: "PATCH", json: { role } });
  }

  prefills(place: "remote" | "local" | "fallback", reason?: string): Promise<number> {
    return metric(this.url, "stator_prefills_total", { place, ...(reason !== undefined && { reason }) });
  }

  /** Expects that nothing is booked or running any more, and that no KV blocks were read too late. */
  async expectSettled(): Promise<void> {
    await until(async () => {
      const bookings = await metric(this.url, "stator_worker_active_requests");
      return bookings === 0 && (await this.kv()).held === 0;
    });
    for (const name of ["stator_worker_active_prefill_tokens", "stator_worker_active_decode_blocks"])
      expect(await metric(this.url, name)).toBe(0);
    expect((await this.kv()).readLate).toBe(0);
  }
}
