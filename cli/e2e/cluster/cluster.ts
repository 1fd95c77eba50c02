import { ask } from "../access/attached.ts";
import { until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";

/** A gateway and workers as separate processes that find each other through a store. */
export class Cluster {
  readonly gateway: StatorProcess;
  readonly url: string;
  readonly #discovery: string;

  private constructor(gateway: StatorProcess, url: string, discovery: string) {
    this.gateway = gateway;
    this.url = url;
    this.#discovery = discovery;
  }

  static async start(discovery: string, ...flags: string[]): Promise<Cluster> {
    const args = ["gateway", "--port=0", "--config=none", `--discovery=${discovery}`, "--slow-start=0"];
    const gateway = new StatorProcess([...args, ...flags]);
    const [, url] = await gateway.printed(/listening.* url=(http:\S+)/);
    return new Cluster(gateway, url!, discovery);
  }

  /** Starts a worker; resolves when the gateway sends requests to it. */
  async join(name: string, ...flags: string[]): Promise<StatorProcess> {
    const worker = this.worker(name, ...flags);
    await worker.printed(/worker is ready/);
    await until(async () => (await this.states())[name] === "ready");
    return worker;
  }

  worker(name: string, ...flags: string[]): StatorProcess {
    return this.engine("echo", name, ...flags);
  }

  /** Starts a worker with any engine. */
  engine(engine: string, name: string, ...flags: string[]): StatorProcess {
    const args = ["worker", engine, `--name=${name}`, "--config=none", `--discovery=${this.#discovery}`];
    return new StatorProcess([...args, ...flags]);
  }

  /** The workers' states, by name. */
  async states(): Promise<Record<string, string>> {
    const { data } = (await (await fetch(`${this.url}/admin/workers`)).json()) as {
      data: { name: string; state: string }[];
    };
    return Object.fromEntries(data.map(({ name, state }) => [name, state]));
  }

  /** The worker that answers a request. @throws Error for any answer but 200 */
  async complete(prompt = "Once upon a time"): Promise<string> {
    const { status, body, headers } = await ask(`${this.url}/v1/completions`, {
      json: { model: "echo", prompt, max_tokens: 8 },
      headers: { "x-stator-explain": "true" },
    });
    if (status !== 200) throw new Error(`status ${status}: ${JSON.stringify(body)}`);
    return headers.get("x-stator-worker") ?? "";
  }
}
