import type { Logger } from "#runtime";
import type { EngineSpec } from "../members/engine-spec.ts";
import type { AttachedEngines } from "./attached-engines.ts";

/** An engine that a source tells of. */
export type NamedEngine = EngineSpec & { readonly name: string };

/**
 * The engines that one source tells of, such as a service of a cluster. What it tells replaces what it told before;
 * an engine of which it tells the same again stays as it is.
 */
export class EngineGroup {
  readonly #attached: AttachedEngines;
  readonly #complete: (spec: EngineSpec) => EngineSpec;
  readonly #log: Logger;
  /** By name: what was attached, as it was told. Those that an operator has taken out are among them: they stay out. */
  readonly #own = new Map<string, string>();
  /** Of these, the ones that the source has taken back. */
  readonly #leaving = new Set<string>();
  /** Names that something else has. */
  readonly #taken = new Set<string>();
  readonly #stopWatching: () => void;
  #wanted: readonly NamedEngine[] = [];

  /** @param complete adds what flags say of all engines */
  constructor(attached: AttachedEngines, complete: (spec: EngineSpec) => EngineSpec, log: Logger) {
    this.#attached = attached;
    this.#complete = complete;
    this.#log = log;
    this.#stopWatching = attached.watch(({ name, state }) => {
      if (state !== "gone") return;
      if (this.#leaving.delete(name)) this.#own.delete(name);
      // What drains keeps its name until it is gone: only then can it come again.
      queueMicrotask(() => this.#add());
    });
  }

  /** These are all engines that there are now. */
  become(engines: readonly NamedEngine[]): void {
    this.#wanted = engines;
    const wanted = new Map(engines.map((engine) => [engine.name, JSON.stringify(engine)]));
    for (const [name, told] of [...this.#own]) {
      const now = wanted.get(name);
      if (now === told) continue;
      if (this.#attached.engine(name) === undefined) {
        this.#own.delete(name);
        continue;
      }
      this.#leaving.add(name);
      // One that is somewhere else now is not there any more to end what it was doing.
      if (now !== undefined) this.#attached.detach(name);
      else this.#attached.drain(name);
    }
    this.#add();
  }

  /** Leaves the engines as they are. */
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
          this.#log.warn("an engine of the cluster has a name that is taken", { engine: name });
        this.#taken.add(name);
        continue;
      }
      this.#own.set(name, JSON.stringify(engine));
      try {
        this.#attached.attach(this.#complete(engine));
      } catch (error) {
        // It may be attached under another name already.
        this.#log.warn("an engine cannot be attached", { engine: name, reason: messageOf(error) });
      }
    }
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
