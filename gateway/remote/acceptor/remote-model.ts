import type { BoundTo } from "../../kernel/errors.ts";
import type { ModelMetrics } from "../../kernel/metrics.ts";
import type { Member } from "../../models/members/member.ts";
import { Model } from "../../models/model.ts";
import { bindingOf } from "../../routing/filters/binding.ts";
import type { PendingRoute, RouteHandler, RouteSource } from "../../routing/queue/route-source.ts";
import type { PeekRequest, RouteRequest } from "../../routing/route.ts";
import type { RouterLink } from "./router-link.ts";

/** How long a request waits for workers that this process has not connected to yet, in milliseconds. */
const MAX_WAIT_MS = 2_000;
const POLL_MS = 20;

/** A model in an acceptor, whose routes come from the router process. */
export class RemoteModel extends Model {
  readonly admission: RouteSource<Member>;
  readonly #link: RouterLink;

  constructor(name: string, blockSize: number, metrics: ModelMetrics, link: RouterLink) {
    super(name, blockSize, metrics);
    this.#link = link;
    this.admission = new RemoteRoutes(link, this);
  }

  /** The router process already knows its workers, and this process may be about to connect to them. */
  override async whenReady(): Promise<void> {
    const deadline = performance.now() + MAX_WAIT_MS;
    while (!this.#canServe && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }

  override kindFor(request: PeekRequest): Promise<Member["kind"]> {
    return this.#link.kindFor(this.name, request);
  }

  get #canServe(): boolean {
    return this.workers?.isReady === true;
  }

  /** The member of this name. */
  member(name: string): Member | undefined {
    for (const member of this.members) if (member.instance.name === name) return member;
    return undefined;
  }
}

class RemoteRoutes implements RouteSource<Member> {
  readonly #link: RouterLink;
  readonly #model: RemoteModel;

  constructor(link: RouterLink, model: RemoteModel) {
    this.#link = link;
    this.#model = model;
  }

  apply(request: RouteRequest<Member>, handler: RouteHandler<Member>): PendingRoute {
    return this.#link.apply(this.#model, request, handler);
  }

  /** Considers only preferences: bindings of sessions are known only to the router process. */
  boundTo({ preferences }: RouteRequest<Member>): BoundTo | undefined {
    return bindingOf(preferences);
  }
}
