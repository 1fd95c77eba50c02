import { adapterOf } from "../../engines/index.ts";
import type { EngineAdapter, EngineApi, EngineModel } from "../../engines/types.ts";
import type { EngineMember, EngineTarget } from "../../models/members/member.ts";
import { HangListeners } from "../../models/members/member.ts";
import type { ObservedAnswer } from "../../models/members/observed-limitations.ts";
import type { RoutedInstance } from "../../routing/workers.ts";
import type { AcceptorChannel, EngineNews } from "../messages.ts";

/** An engine that the router process watches, as an acceptor sends it requests. */
export class RemoteEngine implements EngineTarget {
  readonly name: string;
  readonly origin: string;
  readonly basePath: string;
  readonly spec: { readonly apiKey: string | undefined };
  readonly api: EngineApi;
  readonly adapter: EngineAdapter;
  readonly continuesMessages: boolean;
  isReady: boolean;
  readonly hangs = new HangListeners();
  readonly #channel: AcceptorChannel;

  constructor({ name, url, apiKey, isReady, profile }: EngineNews, api: EngineApi, channel: AcceptorChannel) {
    const { origin, pathname } = new URL(url);
    this.name = name;
    this.origin = origin;
    this.basePath = pathname.replace(/\/$/, "");
    this.spec = { apiKey };
    this.isReady = isReady;
    this.api = api;
    this.adapter = adapterOf(profile.kind);
    this.continuesMessages = profile.continuesMessages;
    this.#channel = channel;
  }

  get state(): "ready" | "down" {
    return this.isReady ? "ready" : "down";
  }

  reportSuccess(): void {
    this.#channel.send({ type: "success", member: this.name });
  }

  reportFailure(reason: string, isUnreachable: boolean): void {
    this.#channel.send({ type: "failure", member: this.name, reason, isUnreachable });
  }

  rereadModels(): void {
    this.#channel.send({ type: "reread-models", engine: this.name });
  }

  observe(answer: ObservedAnswer): void {
    this.#channel.send({ type: "observe", engine: this.name, answer });
  }
}

/** One model of such an engine. */
export class RemoteMember implements EngineMember {
  readonly kind = "engine";
  readonly created = undefined;
  /** What it holds, the router process knows. */
  readonly isPredicted = false;
  readonly instance: RoutedInstance;
  readonly engine: RemoteEngine;
  /** As the engine lists it now: its adapters come and go. */
  model: EngineModel;

  constructor(engine: RemoteEngine, instance: RoutedInstance, model: EngineModel) {
    this.engine = engine;
    this.instance = instance;
    this.model = model;
  }

  get isReady(): boolean {
    return this.engine.isReady;
  }

  /** The router process sees to slow starts. */
  shareAt(): number {
    return 1;
  }

  get state(): string {
    return this.engine.state;
  }

  get aliases(): readonly string[] {
    return this.model.aliases;
  }

  get adapters(): readonly string[] {
    return this.model.adapters;
  }

  get contextLength(): number | undefined {
    return this.model.contextLength;
  }

  get hangs(): HangListeners {
    return this.engine.hangs;
  }

  followEvents(): void {}
  noteUnreadable(): void {}
  noteBlockSize(): void {}

  reportSuccess(): void {
    this.engine.reportSuccess();
  }

  reportFailure(reason: string, isUnreachable: boolean): void {
    this.engine.reportFailure(reason, isUnreachable);
  }
}
