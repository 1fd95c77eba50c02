import { type Logger, nearest, type ZmqPosition } from "#runtime";
import type { EngineModel, EngineProfile, EngineRole, KvEventOrigin } from "../../engines/types.ts";
import { ApiError } from "../../kernel/errors.ts";
import type { PromptReader } from "../../prompts/prompt-reader.ts";
import { isEncodeWorker } from "../../routing/filters/role.ts";
import { type EngineReport, reportEngine } from "../engine-report.ts";
import type { LocalModel } from "../local-model.ts";
import { AttachedMember } from "../members/attached-member.ts";
import { EngineConnection } from "../members/engine-connection.ts";
import type { EngineConnectionDependencies } from "../members/engine-listener.ts";
import type { EngineTarget } from "../members/engine-member.ts";
import { defaultEngineName, type EngineSpec } from "../members/engine-spec.ts";
import { checkedSpec } from "../members/engine-url.ts";
import type { EngineState } from "../members/engine-watch.ts";
import type { Models } from "../models.ts";
import type { WarmStart } from "../warm-start.ts";

/** An engine that may be asked for tokens while it is ready. */
export type AskableEngine = Pick<EngineTarget, "name" | "api" | "adapter" | "state">;

/** Finds the prompt reader of a model; `engines` returns the engines that serve it at the time of the call. */
export type PromptReaderLoader = (
  model: EngineModel,
  found: { readonly profile: EngineProfile; readonly sources: readonly KvEventOrigin[] },
  engines: () => AskableEngine[],
) => Promise<PromptReader>;

export interface AttachedEnginesOptions extends Omit<EngineConnectionDependencies, "log"> {
  models: Models;
  log: Logger;
  loadPromptReader: PromptReaderLoader;
  /** Whether a worker has this name, by which requests may name it. */
  isWorker(name: string): boolean;
  /** Undefined without other gateways. */
  warmStart?: WarmStart | undefined;
}

/** Receives an engine and its members whenever they change. */
export type EngineWatcher = (engine: EngineConnection, members: readonly AttachedMember[]) => void;

/** How often a draining engine is checked, in milliseconds. */
const DRAIN_CHECK_MS = 100;

interface Attachment {
  readonly engine: EngineConnection;
  members: AttachedMember[];
}

/** The attached engines, each of which is a member of its models. */
export class AttachedEngines {
  readonly #options: AttachedEnginesOptions;
  readonly #attachments = new Map<string, Attachment>();
  readonly #watchers = new Set<EngineWatcher>();
  /** Called with each engine that has passed a health check. */
  onHealthy: (engine: EngineConnection) => void = () => {};

  constructor(options: AttachedEnginesOptions) {
    this.#options = options;
  }

  /** All engines, in the order in which they were attached. */
  get engines(): EngineConnection[] {
    return Array.from(this.#attachments.values(), ({ engine }) => engine);
  }

  get isEmpty(): boolean {
    return this.#attachments.size === 0;
  }

  /** Reports on all engines. */
  report(): Promise<EngineReport[]> {
    return Promise.all(this.engines.map((engine) => this.#reportOf(engine)));
  }

  /** Reports on the engine of this name. @throws ApiError 404 for an unknown engine */
  async reportOf(name: string): Promise<EngineReport> {
    return this.#reportOf(this.#attachmentOf(name).engine);
  }

  /** The engine of this name. */
  engine(name: string): EngineConnection | undefined {
    return this.#attachments.get(name)?.engine;
  }

  /**
   * Calls the watcher with every engine now, and whenever its state or profile changes.
   * @returns removes the watcher
   */
  watch(watcher: EngineWatcher): () => void {
    this.#watchers.add(watcher);
    for (const { engine, members } of this.#attachments.values()) watcher(engine, members);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Attaches an engine, which need not be up yet.
   * @throws ApiError 400 for an invalid description, 409 for an engine that is already attached or a worker's name
   */
  attach(given: EngineSpec): EngineConnection {
    const spec = checkedSpec(given);
    const { url } = spec;
    const name = spec.name ?? defaultEngineName(url);
    for (const { engine } of this.#attachments.values()) {
      if (engine.name !== name && engine.spec.url !== url) continue;
      throw conflict(`The engine '${engine.name}' at ${engine.spec.url} is already attached.`, "url");
    }
    if (this.#options.isWorker(name))
      throw conflict(`A worker is named '${name}'. Attach the engine under another name.`, "name");
    const engine = new EngineConnection({ ...spec, name }, this.#options, {
      onProbed: (profile, isFresh) => this.#onProbed(attachment, profile, isFresh),
      onState: (state) => this.#onState(attachment, state),
      onHealthy: () => this.onHealthy(engine),
      onSilence: () => {
        for (const worker of attachment.members) this.#modelOf(worker)?.updateMode(worker);
      },
      hasOthers: () => attachment.members.every((worker) => this.#modelOf(worker)?.hasOther(worker)),
      onPayload: (payload) => {
        const [worker] = attachment.members;
        if (worker !== undefined) this.#applyPayload(worker, payload);
      },
      onUnreadable: (what) => engine.noteUnreadable(what),
      onForget: (rank) => {
        for (const worker of attachment.members) this.#modelOf(worker)?.clear(worker, rank);
      },
      startOf: (rank) => this.#startOf(attachment, rank),
    });
    const attachment: Attachment = { engine, members: [] };
    this.#attachments.set(name, attachment);
    engine.open();
    return engine;
  }

  /** Waits for an engine's first probe, up to `waitMs`. */
  async firstProbe(engine: EngineConnection, waitMs: number): Promise<void> {
    if (engine.state !== "connecting") return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        resolve();
      };
      const check = () => {
        if (engine.state !== "connecting") end();
      };
      const timer = setTimeout(end, waitMs);
      this.#watchers.add(check);
    });
  }

  /**
   * Sends an engine no new requests, and detaches it when those in flight have ended.
   * @param withinMs after how long they move to other engines, if they can; default: never
   * @throws ApiError 404 for an unknown engine
   */
  drain(name: string, withinMs?: number): void {
    const attachment = this.#attachmentOf(name);
    const isDraining = attachment.engine.state === "draining";
    attachment.engine.drain(withinMs);
    if (isDraining) return;
    this.#options.log.info("engine is draining", { engine: name, running: this.#runningOn(attachment) });
    const check = () => {
      if (this.#attachments.get(name) !== attachment) return;
      // A request's load is released in many places, so polling is simpler than a notification from each.
      if (this.#runningOn(attachment) > 0) setTimeout(check, DRAIN_CHECK_MS);
      else this.detach(name);
    };
    check();
  }

  /** Gives an engine another role; its running requests continue. @throws ApiError 404 for an unknown engine */
  setRole(name: string, role: EngineRole): void {
    const attachment = this.#attachmentOf(name);
    const { engine, members } = attachment;
    engine.spec = { ...engine.spec, role };
    if (engine.profile === undefined) return;
    for (const member of members) {
      member.rereadRole(engine.profile);
      this.#modelOf(member)?.update(member);
    }
    this.#notify(attachment);
  }

  /**
   * Detaches an engine at once. Requests in flight continue.
   * @returns false if there is no engine of this name
   */
  detach(name: string): boolean {
    const attachment = this.#attachments.get(name);
    if (attachment === undefined) return false;
    this.#remove(attachment);
    this.#options.log.info("engine detached", { engine: name });
    return true;
  }

  close(): void {
    for (const attachment of [...this.#attachments.values()]) this.#remove(attachment);
  }

  #remove(attachment: Attachment): void {
    this.#attachments.delete(attachment.engine.name);
    attachment.engine.close();
    this.#dropMembers(attachment, true);
  }

  /** Members of models that it still serves stay, with the state of their caches. */
  #onProbed(attachment: Attachment, profile: EngineProfile, isFresh: boolean): void {
    const { engine } = attachment;
    const before = new Map(isFresh ? [] : attachment.members.map((member) => [member.model.name, member]));
    const members = profile.models.map((model) => {
      const member = before.get(model.name);
      before.delete(model.name);
      if (member !== undefined) member.model = model;
      return member ?? new AttachedMember(engine, profile, model);
    });
    const known = new Set(attachment.members);
    this.#dropMembers(attachment, isFresh, new Set(members));
    attachment.members = members;
    for (const member of members) if (!known.has(member)) this.#join(member, profile);
    this.#notify(attachment);
  }

  #join(member: AttachedMember, profile: EngineProfile): void {
    const { name } = member.model;
    const { blockSize } = member.instance.card;
    const model = this.#options.models.open(name, blockSize);
    // Encode engines have no KV blocks, and so no say in their size.
    const hasBlocks = !isEncodeWorker(member);
    const isFirst = hasBlocks && [...model.members].every(isEncodeWorker);
    const isOther = isFirst && model.blockSize !== blockSize;
    if (hasBlocks && (model.engines.prompts === undefined || isOther)) {
      const engines = () => model.engines.members().map(({ engine }) => engine);
      const found = { profile, sources: member.engine.sources };
      model.engines.prompts = this.#options.loadPromptReader(member.model, found, engines);
    }
    // Requests queued for the previous engine wait for this one, because the model object stays the same.
    if (isOther) model.resize(blockSize);
    model.join(member);
  }

  /** Where another gateway's knowledge of the engine's cache ends, once it has been taken over. */
  #startOf({ members: [member] }: Attachment, rank: number): Promise<ZmqPosition | undefined> | undefined {
    const model = member && this.#modelOf(member);
    const ranks = model && this.#options.warmStart?.take(model, member);
    const before = model?.blockSize;
    return ranks?.then((all) => {
      if (model?.blockSize !== before) this.#notifyAll();
      return all.find((each) => each.rank === rank)?.position;
    });
  }

  #applyPayload(worker: AttachedMember, payload: Uint8Array): void {
    const model = this.#modelOf(worker);
    const before = model?.blockSize;
    model?.applyPayload(worker, payload);
    if (model?.blockSize !== before) this.#notifyAll();
  }

  #dropMembers(
    attachment: Attachment,
    mayReturn: boolean,
    kept: ReadonlySet<AttachedMember> = new Set(),
  ): void {
    for (const worker of attachment.members) {
      if (kept.has(worker)) continue;
      const model = this.#modelOf(worker);
      model?.engines.encoders.forgetEncoder(worker.instance.name);
      model?.leave(worker, mayReturn);
    }
    attachment.members = [];
  }

  #onState(attachment: Attachment, state: EngineState): void {
    const { engine, members } = attachment;
    const { log } = this.#options;
    if (state === "ready") {
      const { kind, version, models = [] } = engine.profile ?? {};
      log.info("engine joined", {
        engine: engine.name,
        kind,
        version,
        models: models.map(({ name }) => name).join(", "),
      });
    }
    for (const member of members) this.#modelOf(member)?.update(member);
    this.#notify(attachment);
  }

  /** A model's block size has changed. */
  #notifyAll(): void {
    for (const attachment of this.#attachments.values()) this.#notify(attachment);
  }

  #notify({ engine, members }: Attachment): void {
    for (const watcher of this.#watchers) watcher(engine, members);
  }

  #reportOf(engine: EngineConnection): Promise<EngineReport> {
    return reportEngine(engine, (name) => this.#options.models.get(name)?.engines.prompts);
  }

  #runningOn({ members }: Attachment): number {
    const loads = members.flatMap((member) => this.#modelOf(member)?.router.loads(member) ?? []);
    return loads.reduce((sum, { activeRequests }) => sum + activeRequests, 0);
  }

  #attachmentOf(name: string): Attachment {
    const found = this.#attachments.get(name);
    if (found !== undefined) return found;
    const suggestion = nearest(name, [...this.#attachments.keys()]);
    throw new ApiError(
      404,
      "not_found_error",
      `There is no engine or worker named '${name.slice(0, 200)}'.${suggestion === undefined ? "" : ` Did you mean '${suggestion}'?`} GET /admin/workers lists all.`,
      { param: "name", code: "worker_not_found" },
    );
  }

  #modelOf(worker: AttachedMember): LocalModel | undefined {
    return this.#options.models.get(worker.model.name);
  }
}

const conflict = (message: string, param: string) =>
  new ApiError(409, "invalid_request_error", message, { param, code: "already_attached" });
