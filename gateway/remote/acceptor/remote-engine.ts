import { adapterOf } from "../../engines/index.ts";
import type { EngineAdapter, EngineApi, EngineProfile } from "../../engines/types.ts";
import { EngineMember, type EngineTarget } from "../../models/members/engine-member.ts";
import { RequestListeners } from "../../models/members/member.ts";
import type { ObservedAnswer } from "../../models/members/observed-limitations.ts";
import type { AcceptorChannel, EngineNews } from "../messages.ts";

/** An acceptor's view of an engine that the router process watches. */
export class RemoteEngine implements EngineTarget {
  readonly name: string;
  readonly origin: string;
  readonly basePath: string;
  readonly spec: EngineTarget["spec"];
  readonly api: EngineApi;
  readonly adapter: EngineAdapter;
  readonly profile: EngineProfile;
  readonly continuesMessages: boolean;
  isReady: boolean;
  readonly hangs = new RequestListeners();
  readonly evictions = new RequestListeners();
  readonly #channel: AcceptorChannel;

  constructor(
    { name, url, apiKey, kvLeaseMs, isReady, profile }: EngineNews,
    api: EngineApi,
    channel: AcceptorChannel,
  ) {
    const { origin, pathname } = new URL(url);
    this.name = name;
    this.origin = origin;
    this.basePath = pathname.replace(/\/$/, "");
    this.spec = { apiKey, kvLeaseMs };
    this.isReady = isReady;
    this.api = api;
    this.adapter = adapterOf(profile.kind);
    this.profile = profile;
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

/** One model of such an engine. Its cache and share of requests are tracked by the router process. */
export class RemoteMember extends EngineMember<RemoteEngine> {
  readonly isPredicted = false;
  shareAt = () => 1;
  followEvents(): void {}
  noteUnreadable(): void {}
  noteBlockSize(): void {}
}
