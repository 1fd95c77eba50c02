import { type Logger, messageOf } from "#runtime";
import type { EngineSpec } from "../members/engine-spec.ts";
import type { AttachedEngines } from "./attached-engines.ts";

/** An engine from a source. */
export type NamedEngine = EngineSpec & { readonly name: string };

/**
 * The engines of one source, such as a Kubernetes service. Each list replaces the previous one; unchanged engines
 * stay attached.
 */
export class EngineGroup {
  readonly #attached: AttachedEngines;
  readonly #complete: (spec: EngineSpec) => EngineSpec;
  readonly #drainWithinMs: number;
  readonly #log: Logger;
  /** Attached engines by name, as JSON. Includes those that an operator has detached, so that they stay detached. */
  readonly #own = new Map<string, string>();
  /** Those of them that the source has removed. */
  readonly #leaving = new Set<string>();
  /** Names that other engines have. */
  readonly #taken = new Set<string>();
  readonly #stopWatching: () => void;
  #wanted: readonly NamedEngine[] = [];

  /**
   * @param complete adds the options that flags set for all engines
   * @param drainWithinMs after how long requests of a removed engine move to others
   */
  constructor(
    attached: AttachedEngines,
    complete: (spec: EngineSpec) => EngineSpec,
    drainWithinMs: number,
    log: Logger,
  ) {
    this.#attached = attached;
    this.#complete = complete;
    this.#drainWithinMs = drainWithinMs;
    this.#log = log;
    this.#stopWatching = attached.watch(({ name, state }) => {
      if (state !== "gone") return;
      if (this.#leaving.delete(name)) this.#own.delete(name);
      // A draining engine keeps its name until it is gone; only then can it be attached again.
      queueMicrotask(() => this.#add());
    });
  }

  /** Replaces the list of engines. */
  replace(engines: readonly NamedEngine[]): void {
    this.#wanted = engines;
    const wanted = new Map(engines.map((engine) => [engine.name, JSON.stringify(engine)]));
    for (const [name, before] of [...this.#own]) {
      const now = wanted.get(name);
      if (now === before) continue;
      if (this.#attached.engine(name) === undefined) {
        this.#own.delete(name);
        continue;
      }
      this.#leaving.add(name);
      // An engine that has moved is no longer at its old address to complete requests.
      if (now !== undefined) this.#attached.detach(name);
      else this.#attached.drain(name, this.#drainWithinMs);
    }
    this.#add();
  }

  /** Stops updating, and leaves the engines attached. */
  close(): void {
    this.#wanted = [];
    this.#stopWatching();
  }

  #add(): void {
    for (const engine of this.#wanted) {
      const { name } = engine;
      if (this.#own.has(name)) continue;
      if (this.#attached.engine(name) !== undefined) {
        if (!this.#taken.has(name))
          this.#log.warn("an engine of the cluster has a name that is already taken", { engine: name });
        this.#taken.add(name);
        continue;
      }
      this.#own.set(name, JSON.stringify(engine));
      try {
        this.#attached.attach(this.#complete(engine));
      } catch (error) {
        // It may already be attached under another name.
        this.#log.warn("an engine cannot be attached", { engine: name, reason: messageOf(error) });
      }
    }
  }
}
