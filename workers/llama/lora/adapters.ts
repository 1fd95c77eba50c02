import { PlaneError } from "#runtime";
import type { LoraAdapters } from "../../engine.ts";
import { type Resident, Residents } from "./residents.ts";

/** What answers with an adapter: a context of its own over the model's weights. */
export interface AdapterContext {
  close(): Promise<void>;
}

/** How the engine makes them. */
export interface AdapterFiles<Context> {
  /** Reads the file into a first context. @throws PlaneError `invalid_request` if it is not an adapter for the model */
  read(name: string, path: string): Promise<{ context: Context; reopen: () => Promise<Context> }>;
}

/**
 * The LoRA adapters of a model. Each has a context of its own, and thus KV memory, so only some have one at a time: those
 * that were used last. The others get theirs when a request comes.
 */
export class LlamaAdapters<Context extends AdapterContext> implements LoraAdapters {
  readonly #files: AdapterFiles<Context>;
  readonly #residents: Residents<Context>;
  readonly #adapters = new Map<string, Resident<Context>>();

  /** @param most how many may have a context at once */
  constructor(files: AdapterFiles<Context>, most: number) {
    this.#files = files;
    this.#residents = new Residents(most);
  }

  get names(): readonly string[] {
    return [...this.#adapters.keys()];
  }

  /** The contexts there are now. */
  get contexts(): Context[] {
    return this.#residents.contexts;
  }

  async load(name: string, path: string): Promise<void> {
    const adapter = await this.#residents.add(() => this.#files.read(name, path));
    const before = this.#adapters.get(name);
    this.#adapters.set(name, adapter);
    if (before !== undefined) await this.#residents.retire(before);
  }

  async unload(name: string): Promise<void> {
    const adapter = this.#adapters.get(name);
    this.#adapters.delete(name);
    if (adapter !== undefined) await this.#residents.retire(adapter);
  }

  /**
   * Calls `work` with an adapter's context, which stays meanwhile.
   * @throws PlaneError `draining` if the adapter has been unloaded
   */
  async use<Value>(
    name: string,
    signal: AbortSignal,
    work: (context: Context) => Promise<Value>,
  ): Promise<Value> {
    using entered = await this.#enter(name, signal);
    return await work(entered.context);
  }

  /** The same for an answer in parts. */
  async *answer<Part>(
    name: string,
    signal: AbortSignal,
    answer: (context: Context) => AsyncIterable<Part>,
  ): AsyncGenerator<Part> {
    using entered = await this.#enter(name, signal);
    yield* answer(entered.context);
  }

  /** An adapter's context, which stays until it is disposed of. */
  async #enter(name: string, signal: AbortSignal): Promise<Disposable & { readonly context: Context }> {
    const adapter = this.#adapters.get(name);
    if (adapter === undefined)
      throw new PlaneError("draining", `The LoRA adapter '${name}' has been unloaded.`);
    const context = await this.#residents.enter(adapter, signal);
    return { context, [Symbol.dispose]: () => this.#residents.exit(adapter) };
  }
}
