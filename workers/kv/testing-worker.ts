import {
  bytesToTokens,
  createLogger,
  DeltaDecoder,
  type Discovery,
  decodeEncodeResponse,
  decodePrefillResponse,
  type EncodedMedium,
  encodeEncodeRequest,
  encodeEndpoint,
  encodeGenerateRequest,
  encodeLoadLoraRequest,
  encodeRoleRequest,
  encodeTokenizeRequest,
  encodeUnloadLoraRequest,
  type GenerateRequest,
  type KvTransfer,
  loadLoraEndpoint,
  type MediumToEncode,
  openMemoryDiscovery,
  type PlaneError,
  type PrefillResponse,
  prefillEndpoint,
  type RequestPlaneClient,
  randomId,
  roleEndpoint,
  unaryCall,
  unloadLoraEndpoint,
  type WorkerRole,
} from "#runtime";
import { connect } from "#runtime/node";
import { defineWorker } from "../define-worker.ts";
import type { Engine } from "../engine.ts";
import { startWorker, type WorkerHost } from "../host.ts";
import type { WorkerHostOptions } from "../host-options.ts";

/** How a call of `prefill` goes on after its answer. */
export interface PrefillCall {
  readonly response: PrefillResponse;
  /** The answer's first token. */
  readonly tokens: number[];
  readonly finish: string | undefined;
  readonly cachedTokens: number | undefined;
  /** Says that the KV is no longer needed. */
  cancel(): void;
  /** Settles with the error that ended the call, or undefined after a regular end. */
  readonly ended: Promise<PlaneError | undefined>;
}

/** The answer to a call of `generate`. */
export interface Answer {
  readonly tokens: number[];
  readonly finish: string | undefined;
  readonly cachedTokens: number | undefined;
  readonly transfer: KvTransfer | undefined;
  /** How many messages said what became of the transfer. */
  readonly transfers: number;
}

/** Plays the gateway for one worker. */
export class WorkerClient {
  readonly #client: RequestPlaneClient;

  constructor(client: RequestPlaneClient) {
    this.#client = client;
  }

  static async connect(address: string): Promise<WorkerClient> {
    return new WorkerClient(await connect(address));
  }

  prefill(request: GenerateRequest): Promise<PrefillCall> {
    const answered = Promise.withResolvers<PrefillCall>();
    const ended = Promise.withResolvers<PlaneError | undefined>();
    const decoder = new DeltaDecoder();
    const call = this.#client.call(prefillEndpoint, encodeGenerateRequest(request), {
      onMessage(message) {
        const response = decodePrefillResponse(message);
        decoder.read(response.delta);
        const tokens = [...decoder.tokens.subarray(0, decoder.count)];
        const { finish, cachedTokens } = decoder;
        const cancel = () => call.cancel();
        answered.resolve({ response, tokens, finish, cachedTokens, cancel, ended: ended.promise });
      },
      onEnd: () => ended.resolve(undefined),
      onError(error) {
        ended.resolve(error);
        answered.reject(error);
      },
    });
    return answered.promise;
  }

  /** @param onToken called with each token as it comes */
  generate(request: GenerateRequest, onToken: (token: number) => void = () => {}): Promise<Answer> {
    const decoder = new DeltaDecoder();
    const tokens: number[] = [];
    let finish: string | undefined;
    let transfer: KvTransfer | undefined;
    let transfers = 0;
    let cachedTokens: number | undefined;
    return new Promise((resolve, reject) => {
      this.#client.call("generate", encodeGenerateRequest(request), {
        onMessage(message) {
          decoder.read(message);
          if (decoder.transfer !== undefined) {
            transfer = decoder.transfer;
            transfers++;
          }
          finish ??= decoder.finish;
          cachedTokens ??= decoder.cachedTokens;
          for (const token of decoder.tokens.subarray(0, decoder.count)) {
            tokens.push(token);
            onToken(token);
          }
        },
        onEnd: () => resolve({ tokens, finish, cachedTokens, transfer, transfers }),
        onError: reject,
      });
    });
  }

  /** @param text with control tokens */
  async tokenize(text: string): Promise<Uint32Array> {
    const payload = encodeTokenizeRequest({ text, special: true });
    return bytesToTokens(await unaryCall(this.#client, "tokenize", payload, { deadlineMs: 60_000 }));
  }

  async encode(media: readonly MediumToEncode[]): Promise<EncodedMedium[]> {
    const payload = encodeEncodeRequest({ requestId: "req-1", media: [...media] });
    return decodeEncodeResponse(
      await unaryCall(this.#client, encodeEndpoint, payload, { deadlineMs: 60_000 }),
    );
  }

  role(role: WorkerRole): Promise<void> {
    return this.#ask(roleEndpoint, encodeRoleRequest(role));
  }

  loadLora(name: string, { inPlace = false } = {}): Promise<void> {
    return this.#ask(loadLoraEndpoint, encodeLoadLoraRequest({ name, path: `/${name}.gguf`, inPlace }));
  }

  unloadLora(name: string): Promise<void> {
    return this.#ask(unloadLoraEndpoint, encodeUnloadLoraRequest(name));
  }

  #ask(endpoint: string, payload: Uint8Array): Promise<void> {
    return new Promise((onEnd, onError) => {
      this.#client.call(endpoint, payload, { onMessage() {}, onEnd, onError });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** A worker in this process, and a client of it. */
export interface TestingWorker {
  readonly host: WorkerHost;
  readonly client: WorkerClient;
  readonly discovery: Discovery;
  /** What it has logged. */
  readonly lines: string[];
  /** A metric's samples, by their labels as text. */
  metric(name: string): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

export async function startTestingWorker(
  engine: Engine,
  options: Partial<WorkerHostOptions> = {},
): Promise<TestingWorker> {
  const discovery = openMemoryDiscovery(randomId());
  const lines: string[] = [];
  const host = await startWorker({
    definition: defineWorker({ name: engine.card.engine.name, open: () => engine }),
    engineOptions: {},
    threads: 1,
    discovery,
    namespace: "test",
    name: "worker",
    listen: `memory:${randomId()}`,
    opsPort: 0,
    log: createLogger({ name: "worker", level: "debug", write: (line) => void lines.push(line) }),
    ...options,
  });
  const client = await WorkerClient.connect(host.instance.address);
  return {
    host,
    client,
    discovery,
    lines,
    metric: (name) => readMetric(host.opsUrl, name),
    async stop() {
      client.close();
      await host.drain({ withinMs: 0, deadlineMs: 0 });
      await discovery.close();
    },
  };
}

/** The samples of a worker's metric, by their labels other than the worker's own. */
export async function readMetric(opsUrl: string, name: string): Promise<Record<string, number>> {
  const page = await (await fetch(`${opsUrl}/metrics`)).text();
  const samples = [...page.matchAll(/^stator_(\w+)(?:\{(.*)\})? (\S+)$/gm)];
  return Object.fromEntries(
    samples
      .filter(([, sample]) => sample === name)
      .map(([, , labels = "", value]) => [
        labels
          .split(",")
          .filter((label) => !/^(component|worker)=/.test(label))
          .join(),
        Number(value),
      ]),
  );
}
