import type { EngineWatch, WatchedEngine } from "../../models/members/engine-watch.ts";

/** Longest wait of a request for engines that are being looked at, in milliseconds. */
const LONGEST_WAIT_MS = 10_000;
/** A look that takes longer has ended with its request, for all that anybody knows. */
const LOST_MS = 30_000;

interface Look {
  readonly since: number;
  readonly ended: Promise<void>;
}

/**
 * For runtimes where nothing happens but in requests: each request has the engines looked at that are due, and the
 * runtime goes on with that after the request. A request waits for the first look at an engine, and for others only
 * where no engine is ready.
 */
export class RequestWatch implements EngineWatch {
  readonly #engines = new Set<WatchedEngine>();
  readonly #looks = new Map<WatchedEngine, Look>();

  add(engine: WatchedEngine): void {
    this.#engines.add(engine);
  }

  wake(engine: WatchedEngine): void {
    if (engine.state === "gone") this.#engines.delete(engine);
  }

  /**
   * To be called before a request is answered.
   * @param goOn has the runtime wait for what may take longer than the request
   */
  async beforeRequest(goOn: (work: Promise<void>) => void): Promise<void> {
    const now = performance.now();
    for (const engine of this.#engines) {
      if (engine.lookAt <= now && !this.#isLookedAt(engine, now)) goOn(this.#look(engine, now));
    }
    const awaited = this.#awaited();
    if (awaited.length > 0) await within(LONGEST_WAIT_MS, Promise.all(awaited));
  }

  #isLookedAt(engine: WatchedEngine, now: number): boolean {
    const look = this.#looks.get(engine);
    return look !== undefined && now - look.since < LOST_MS;
  }

  #look(engine: WatchedEngine, since: number): Promise<void> {
    const ended = engine.look().finally(() => {
      if (this.#looks.get(engine) === look) this.#looks.delete(engine);
    });
    const look: Look = { since, ended };
    this.#looks.set(engine, look);
    return ended;
  }

  #awaited(): Promise<void>[] {
    const hasReady = [...this.#engines].some(({ state }) => state === "ready");
    const looks = [...this.#looks].filter(([{ state }]) => !hasReady || state === "connecting");
    return looks.map(([, { ended }]) => ended);
  }
}

/** The timer is the waiting request's own, so that it does not depend on another one's life. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
