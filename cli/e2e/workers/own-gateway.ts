/** A gateway with workers in this process, for tests of misbehaving engines. */
import { createLogger, type Discovery, randomId } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { defineWorker, type Engine, startWorker, type WorkerHostOptions } from "#workers";
import type { ListeningOptions } from "../../../gateway/adapters/listening.ts";
import { startNodeGateway } from "../../../gateway/adapters/node/index.ts";
import { routerModule } from "../../../gateway/routing/test-model.ts";
import { afterEveryFile } from "../../../scripts/testing/after-tests.ts";

export interface OwnGateway {
  readonly url: string;
  /** URLs of the workers' own `/health` and `/metrics`, in the order of their engines. */
  readonly opsUrls: readonly string[];
  /** Ends a worker as if it were killed: its calls break. */
  kill(worker: string): Promise<void>;
  /** Resolves when a worker that was asked to leave has left. */
  left(worker: string): Promise<void>;
  /** The workers' discovery. */
  readonly discovery: Discovery;
  /** Warnings and errors logged by the gateway and the workers, parsed. */
  readonly logged: readonly Readonly<Record<string, unknown>>[];
  /** Sends a request to the API. */
  post(path: string, body: object): Promise<Response>;
  /** Sends a request that must fail. @returns its status, and the fields of its error */
  refusal(
    path: string,
    body: object,
  ): Promise<{ readonly status: number } & Readonly<Record<string, unknown>>>;
}

const closing: (() => Promise<void>)[] = [];

afterEveryFile(async () => {
  for (const close of closing.splice(0)) await close();
});

/**
 * Starts a gateway that serves these engines' models; it stops after the test file.
 * @param own further options of each worker
 */
export async function startOwnGateway(
  engines: Readonly<Record<string, Engine>>,
  options: Partial<ListeningOptions> = {},
  own: Readonly<Record<string, Partial<WorkerHostOptions>>> = {},
): Promise<OwnGateway> {
  const logged: Record<string, unknown>[] = [];
  const write = (line: string) => void logged.push(JSON.parse(line));
  const log = createLogger({ name: "test", level: "warn", format: "json", write });
  const discovery = await openDiscovery(`memory:${randomId()}`);
  const gateway = await startNodeGateway({
    host: "127.0.0.1",
    port: 0,
    discovery,
    routerModule,
    bodyLimit: 1_000_000,
    timeoutMs: 120_000,
    log,
    version: "0.0.0",
    ...options,
  });
  const url = `http://127.0.0.1:${gateway.port}`;
  const workers = await Promise.all(
    Object.entries(engines).map(([name, engine]) =>
      startWorker({
        definition: defineWorker({ name, open: () => engine }),
        engineOptions: {},
        threads: 1,
        discovery,
        namespace: "test",
        name,
        listen: `memory:${randomId()}`,
        opsPort: 0,
        log: log.child({ name }),
        ...own[name],
      }),
    ),
  );
  closing.push(async () => {
    await gateway.drain(0);
    await Promise.all(workers.map((worker) => worker.drain({ withinMs: 0, deadlineMs: 0 })));
    await discovery.close();
  });
  const ready = () => {
    const models = gateway.models.all().filter(({ isReady, isEncoder }) => isReady || isEncoder);
    return models.flatMap((model) => model.views().filter(({ canServe }) => canServe)).length;
  };
  const members = workers.length + (options.engines?.length ?? 0);
  while (ready() < members) await new Promise((resolve) => setImmediate(resolve));
  const post: OwnGateway["post"] = (path, body) =>
    fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  return {
    url,
    opsUrls: workers.map(({ opsUrl }) => opsUrl),
    discovery,
    logged,
    left: (worker) => workers[Object.keys(engines).indexOf(worker)]!.drained,
    kill: (worker) =>
      workers[Object.keys(engines).indexOf(worker)]!.drain({ withinMs: 1_000_000, deadlineMs: 0 }),
    post,
    async refusal(path, body) {
      const response = await post(path, body);
      const { error } = (await response.json()) as { error: Record<string, unknown> };
      return { status: response.status, ...error };
    },
  };
}
