import { type Logger, messageOf } from "#runtime";
import type { EngineAdapter, EngineApi, EngineModel } from "../../engines/types.ts";
import type { EngineConnection } from "../members/engine-connection.ts";
import { type EngineSpec, roleOf } from "../members/engine-spec.ts";

export interface AnnouncedEncodersOptions {
  createApi(spec: EngineSpec): EngineApi;
  readonly log: Logger;
}

/** What has to be known of an engine. */
export interface AnnouncedEngine extends Pick<EngineConnection, "name" | "state" | "spec" | "profile"> {
  readonly adapter: Pick<EngineAdapter, "encoderRegistry"> | undefined;
}

/** A language engine that asks encoders itself. */
interface LanguageEngine {
  readonly engine: AnnouncedEngine;
  readonly models: readonly string[];
  /** Addresses of the encoders that it has been told of since it became ready. */
  readonly told: Set<string>;
  /** Addresses of those of which it could not be told. */
  readonly failed: Set<string>;
}

/**
 * Tells language engines that ask encoders themselves of the attached ones of their kind: when either becomes ready, and
 * again after a restart. An engine that cannot be told is told after its next health check. An encoder that is detached is
 * taken back; one that is only down, the engines notice themselves.
 */
export class AnnouncedEncoders {
  readonly #options: AnnouncedEncodersOptions;
  /** Those that are ready. */
  readonly #encoders = new Map<string, AnnouncedEngine>();
  readonly #languages = new Map<string, LanguageEngine>();
  #hasWarned = false;

  constructor(options: AnnouncedEncodersOptions) {
    this.#options = options;
  }

  /** An engine has changed. */
  onEngine(engine: AnnouncedEngine, members: readonly { readonly model: Pick<EngineModel, "name"> }[]): void {
    const { name, state, spec, profile, adapter } = engine;
    const isReady = state === "ready";
    if (adapter?.encoderRegistry === undefined) return;
    if (roleOf(spec, profile) === "encode" && profile?.role === "encode") {
      if (isReady) this.#encoders.set(name, engine);
      else if (this.#encoders.delete(name)) {
        if (state === "draining" || state === "gone") this.#withdraw(engine);
        // Engines may have removed it meanwhile.
        else for (const { told } of this.#languages.values()) told.delete(spec.url);
      }
    }
    const models = members.map(({ model }) => model.name);
    if (!isReady || profile?.encoderRegistry === undefined) this.#languages.delete(name);
    else {
      const { told, failed } = this.#languages.get(name) ?? { told: new Set(), failed: new Set() };
      this.#languages.set(name, { engine, models, told, failed });
    }
    this.#announce();
  }

  /** An engine has passed a health check. */
  onHealthy({ name }: Pick<AnnouncedEngine, "name">): void {
    const failed = this.#languages.get(name)?.failed;
    if (failed !== undefined && failed.size > 0) this.#announce();
  }

  #announce(): void {
    if (this.#encoders.size === 0) return;
    const models = new Set(Array.from(this.#languages.values(), ({ models: [first] }) => first));
    // Encoders do not tell their model.
    if (models.size > 1) {
      if (!this.#hasWarned)
        this.#options.log.warn(
          "language engines are not told of encode engines, as they have several models: start encoders with --encoder-register-urls",
          { models: [...models].join(", ") },
        );
      this.#hasWarned = true;
      return;
    }
    for (const language of this.#languages.values())
      for (const encoder of this.#encoders.values()) void this.#tell(language, encoder);
  }

  async #tell({ engine, told, failed }: LanguageEngine, encoder: AnnouncedEngine): Promise<void> {
    const { url } = encoder.spec;
    const api = this.#registryApi(engine);
    if (api === undefined || told.has(url)) return;
    told.add(url);
    const fields = { engine: engine.name, encoder: encoder.name };
    const reason = await failureOf(engine.adapter?.encoderRegistry?.register(api, url));
    if (reason === undefined) {
      failed.delete(url);
      this.#options.log.info("a language engine was told of an encode engine", fields);
      return;
    }
    told.delete(url);
    if (!failed.has(url))
      this.#options.log.warn(
        "cannot tell a language engine of an encode engine; trying again at each health check",
        { ...fields, reason },
      );
    failed.add(url);
  }

  #withdraw({ spec: { url } }: AnnouncedEngine): void {
    for (const { engine, told } of this.#languages.values()) {
      const api = this.#registryApi(engine);
      if (api === undefined || !told.delete(url)) continue;
      // The engine notices itself that an encoder does not answer.
      void failureOf(engine.adapter?.encoderRegistry?.unregister(api, url));
    }
  }

  #registryApi({ profile, spec }: AnnouncedEngine): EngineApi | undefined {
    const url = profile?.encoderRegistry;
    return url === undefined ? undefined : this.#options.createApi({ url, apiKey: spec.apiKey });
  }
}

/** Why a registry did not accept a request; undefined if it did. */
async function failureOf(status: Promise<number> | undefined): Promise<string | undefined> {
  try {
    const answered = await status;
    return answered !== undefined && answered >= 300 ? `It answered with status ${answered}.` : undefined;
  } catch (error) {
    return messageOf(error);
  }
}
