import type { EngineSpec, ListeningGateway } from "#gateway";
import type { Logger } from "#runtime";
import type { PodEngine } from "./engines-of.ts";

type Attached = ListeningGateway["engines"];

/** The engines that one question to the cluster has brought. */
export class EngineGroup {
  readonly #attached: Attached;
  readonly #complete: (spec: EngineSpec) => EngineSpec;
  readonly #log: Logger;
  /** By name: what was attached, as it was told. Those that an operator has taken out are among them: they stay out. */
  readonly #own = new Map<string, string>();
  /** Of these, the ones that the cluster has taken back. */
  readonly #leaving = new Set<string>();
  /** Names that something else has. */
  readonly #taken = new Set<string>();
  readonly #stopWatching: () => void;
  #wanted: readonly PodEngine[] = [];

  /** @param complete adds what flags say of all engines */
  constructor(attached: Attached, complete: (spec: EngineSpec) => EngineSpec, log: Logger) {
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
  become(engines: readonly PodEngine[]): void {
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
      this.#attached.attach(this.#complete(engine));
    }
  }
}
