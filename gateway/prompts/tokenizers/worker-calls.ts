import { type Instance, PlaneError, type RequestPlaneClient, unaryCall } from "#runtime";
import { noWorkerReady, workerFailed } from "../../kernel/errors.ts";

/** A worker that provides its vocabulary and tokenizes while it is ready. */
export interface TokenizingWorker {
  readonly state: string;
  readonly client: RequestPlaneClient | undefined;
  readonly instance: Instance;
}

/** An answer, and the worker that gave it. */
export interface WorkerAnswer {
  readonly bytes: Uint8Array;
  readonly instance: Instance;
}

const CALL = { deadlineMs: 30_000 };
/** How many workers may fail a call, since the call may be why they do. */
const MOST_FAILURES = 3;

/** Calls any of the workers that share a tokenizer, in turn. */
export class WorkerCalls {
  readonly #model: string;
  readonly #workers: () => readonly TokenizingWorker[];
  #turn = 0;

  constructor(model: string, workers: () => readonly TokenizingWorker[]) {
    this.#model = model;
    this.#workers = workers;
  }

  /**
   * Calls a worker; if it fails, or refuses because it is leaving, others are tried.
   * @throws ApiError `worker_failed` if some failed and no other one is left, or `no_worker_ready`
   */
  async call(endpoint: string, payload: Uint8Array): Promise<WorkerAnswer> {
    const tried = new Set<string>();
    let failure: PlaneError | undefined;
    for (let failures = 0; failures < MOST_FAILURES; ) {
      const { client, instance } = this.#next(tried) ?? {};
      if (client === undefined || instance === undefined) break;
      try {
        return { bytes: await unaryCall(client, endpoint, payload, CALL), instance };
      } catch (error) {
        if (!(error instanceof PlaneError)) throw error;
        tried.add(instance.id);
        if (error.code === "draining") continue;
        failure = error;
        failures++;
      }
    }
    throw failure === undefined ? noWorkerReady(this.#model) : workerFailed(failure);
  }

  #next(tried: ReadonlySet<string>): TokenizingWorker | undefined {
    const ready = this.#workers().filter(
      ({ state, instance, client }) => state === "ready" && client !== undefined && !tried.has(instance.id),
    );
    return ready[this.#turn++ % ready.length];
  }
}
