import type { LoraAdapters } from "../engine.ts";

/** LoRA adapters of the mock engine: names. Their files are not read. */
export class MockAdapters implements LoraAdapters {
  readonly #names: Set<string>;

  constructor(loras: readonly (readonly [name: string, path: string])[] = []) {
    this.#names = new Set(loras.map(([name]) => name));
  }

  get names(): readonly string[] {
    return [...this.#names];
  }

  async load(name: string): Promise<void> {
    this.#names.add(name);
  }

  async unload(name: string): Promise<void> {
    this.#names.delete(name);
  }
}
