import type { BoundTo } from "../../kernel/errors.ts";
import { ForwardModel, type ForwardModelOptions } from "../../models/forward-model.ts";
import { bindingOf } from "../../routing/binding.ts";
import type { Applicant, QueueTicket, RouteSource } from "../../routing/queue/route-source.ts";
import type { RouteRequest } from "../../routing/route.ts";
import type { FrontWorker } from "./front-engine.ts";
import type { RouterLink } from "./router-link.ts";

/** A model of attached engines in a front process: its routes come from the router process. */
export class FrontModel extends ForwardModel<FrontWorker> {
  readonly admission: RouteSource<FrontWorker>;

  constructor(options: ForwardModelOptions, link: RouterLink) {
    super(options);
    this.admission = new RemoteRoutes(link, this);
  }

  workerOn(engine: string): FrontWorker | undefined {
    for (const worker of this.workers) if (worker.engine.name === engine) return worker;
    return undefined;
  }
}

class RemoteRoutes implements RouteSource<FrontWorker> {
  readonly #link: RouterLink;
  readonly #model: FrontModel;

  constructor(link: RouterLink, model: FrontModel) {
    this.#link = link;
    this.#model = model;
  }

  apply(request: RouteRequest<FrontWorker>, applicant: Applicant<FrontWorker>): QueueTicket {
    return this.#link.apply(this.#model, request, applicant);
  }

  /** Where a session is bound to a worker, only the router process knows. */
  boundTo({ preferences }: RouteRequest<FrontWorker>): BoundTo | undefined {
    return bindingOf(preferences);
  }
}
