import type { EngineWatch, WatchedEngine } from "../../models/members/engine-watch.ts";

/** How long a request waits for checks of engines, in milliseconds. */
const MAX_WAIT_MS = 10_000;
/** A check that takes longer is assumed to have been cancelled together with its request. */
const LOST_MS = 30_000;

interface Check {
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
  readonly #checks = new Map<WatchedEngine, Check>();

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
      if (engine.nextCheckAt <= now && !this.#isBeingChecked(engine, now))
        waitUntil(this.#check(engine, now));
    }
    const awaited = this.#awaited();
    if (awaited.length > 0) await within(MAX_WAIT_MS, Promise.all(awaited));
  }

  #isBeingChecked(engine: WatchedEngine, now: number): boolean {
    const check = this.#checks.get(engine);
    return check !== undefined && now - check.since < LOST_MS;
  }

  #check(engine: WatchedEngine, since: number): Promise<void> {
    const ended = engine.check().finally(() => {
      if (this.#checks.get(engine) === check) this.#checks.delete(engine);
    });
    const check: Check = { since, ended };
    this.#checks.set(engine, check);
    return ended;
  }

  #awaited(): Promise<void>[] {
    const hasReady = [...this.#engines].some(({ state }) => state === "ready");
    const checks = [...this.#checks].filter(([{ state }]) => !hasReady || state === "connecting");
    return checks.map(([, { ended }]) => ended);
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
