import type { EngineWatch, WatchedEngine } from "../../models/members/engine-watch.ts";

/** How long a request waits for checks of engines, in milliseconds. */
const MAX_WAIT_MS = 10_000;
/** A check that takes longer is assumed to have been cancelled together with its request. */
const LOST_MS = 30_000;

interface Look {
  readonly since: number;
  readonly ended: Promise<void>;
}

/**
 * For runtimes that run code only during requests: each request starts the checks that are due, which the runtime
 * continues after the request. A request waits for an engine's first check, and for later ones only if no engine is
 * ready.
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
   * Must be called before each request is answered.
   * @param waitUntil keeps work running that may outlast the request
   */
  async beforeRequest(waitUntil: (work: Promise<void>) => void): Promise<void> {
    const now = performance.now();
    for (const engine of this.#engines) {
      if (engine.lookAt <= now && !this.#isLookedAt(engine, now)) waitUntil(this.#look(engine, now));
    }
    const awaited = this.#awaited();
    if (awaited.length > 0) await within(MAX_WAIT_MS, Promise.all(awaited));
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

/** Each waiting request has its own timer, so that it does not depend on another request. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
