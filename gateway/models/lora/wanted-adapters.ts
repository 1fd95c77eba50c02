import type { Logger } from "#runtime";
import { toApiError } from "../../kernel/errors.ts";
import type { AttachedMember } from "../members/attached-member.ts";
import type { EngineConnection } from "../members/engine-connection.ts";
import { changeAdapters } from "./engine-adapters.ts";

/** LoRA adapters that all engines are to have: names, and paths on the engines' machines. */
export type WantedLoras = readonly (readonly [name: string, path: string])[];

/**
 * Loads adapters into attached engines that lack them: when an engine joins, and when it has restarted, because it has
 * then lost those that were loaded while it ran.
 */
export class WantedAdapters {
  readonly #wanted: WantedLoras;
  readonly #log: Logger;
  /** Engines' members that have got theirs; a restarted engine has new ones. */
  readonly #done = new WeakSet<AttachedMember>();

  constructor(wanted: WantedLoras, log: Logger) {
    this.#wanted = wanted;
    this.#log = log;
  }

  /** An engine has changed. */
  onEngine(engine: EngineConnection, [member]: readonly AttachedMember[]): void {
    if (engine.state !== "ready" || member === undefined || this.#done.has(member)) return;
    this.#done.add(member);
    void this.#load(engine, member);
  }

  async #load(engine: EngineConnection, member: AttachedMember): Promise<void> {
    for (const [name, path] of this.#wanted) {
      if (member.adapters.includes(name)) continue;
      try {
        await changeAdapters(engine, "load", { lora_name: name, lora_path: path });
        this.#log.info("LoRA adapter loaded", { engine: engine.name, adapter: name });
      } catch (error) {
        await this.#onRefused(engine, member, name, error);
      }
    }
  }

  async #onRefused(
    engine: EngineConnection,
    member: AttachedMember,
    adapter: string,
    error: unknown,
  ): Promise<void> {
    const { status, message: reason } = toApiError(error);
    // Another gateway may have been faster.
    const answers = await engine.refreshModels().then(
      () => true,
      () => false,
    );
    if (member.adapters.includes(adapter)) return;
    this.#log.warn("cannot load a LoRA adapter into an engine", { engine: engine.name, adapter, reason });
    // One that cannot be reached, unlike one that refuses, is asked again once it is back.
    if (status >= 500 || !answers) this.#done.delete(member);
  }
}
