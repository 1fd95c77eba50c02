import { metric } from "../../cli/e2e/metrics.ts";
import type { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { becomesReady } from "./losses.suite.ts";
import { attach, metricOf } from "./setup.ts";
import { VllmServer } from "./vllm-server.ts";

type Role = "prefill" | "decode";

interface Other {
  /** Undefined: it does all else. */
  readonly role: Role | undefined;
  readonly server: VllmServer;
}

/** An encode engine and those that do all else, behind a gateway that hands on every prompt. */
export class EncodingEngines implements AsyncDisposable {
  readonly url: string;
  readonly encoder: VllmServer;
  readonly #stator: StatorProcess;
  readonly #others: readonly Other[];

  /**
   * @param folder of the model
   * @param roles of the other engines: undefined is one for all else
   */
  static async start(folder: string, roles: readonly (Role | undefined)[]): Promise<EncodingEngines> {
    const shared = temporaryFolder();
    const start = (role: Role | undefined) =>
      VllmServer.start(folder, {
        takesMedia: true,
        ...(role !== "decode" && { encoder: { role: "consumer", folder: shared } }),
        ...(role && { role }),
      });
    const [encoder, ...others] = await Promise.all([
      VllmServer.start(folder, { takesMedia: true, encoder: { role: "producer", folder: shared } }),
      ...roles.map(start),
    ]);
    const all = others.map((server, index) => ({ role: roles[index], server }));
    const { stator, url } = await attach(
      all.flatMap(({ role, server }) => (role === undefined ? [server.url] : [])),
      `--encode=${encoder.url}`,
      ...all.flatMap(({ role, server }) => (role === undefined ? [] : [`--${role}=${server.url}`])),
      // A server stands still while it loads what it needs for its first sound, and where others want its cores.
      "--health-timeout=60",
      "--health-failures=100",
      "--remote-prefill-min-tokens=1",
      "--remote-prefill-min-share=0",
      "--remote-prefill-max-wait=100",
    );
    for (const server of [encoder, ...others]) await becomesReady(url, new URL(server.url).host);
    return new EncodingEngines(stator, url, encoder, all);
  }

  private constructor(stator: StatorProcess, url: string, encoder: VllmServer, others: readonly Other[]) {
    this.#stator = stator;
    this.url = url;
    this.encoder = encoder;
    this.#others = others;
  }

  /** The engines of a role. */
  of(role: Role): VllmServer[] {
    return this.#others.filter((each) => each.role === role).map(({ server }) => server);
  }

  /** How many media the gateway has had encoded in a place: `remote`, `shared`, `cached`, `local` or `fallback`. */
  encodes(place: string): Promise<number> {
    return metric(this.url, "stator_encodes_total", { place });
  }

  /** How many media the encoder has processed. */
  encoded(): Promise<number> {
    return metricOf(this.encoder, "vllm:mm_cache_queries_total");
  }

  /** What the gateway has printed, and the engines lately. */
  get output(): string {
    const all = [this.encoder, ...this.#others.map(({ server }) => server)];
    const engines = all.map(({ url, output }) => `${url}\n${output.slice(-2000)}`);
    return [this.#stator.stdout, this.#stator.stderr, ...engines].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.encoder, ...this.#others.map(({ server }) => server)].map((each) => each.stop()));
  }
}
