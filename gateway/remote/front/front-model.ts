import type { BoundTo } from "../../kernel/errors.ts";
import type { ModelMetrics } from "../../kernel/metrics.ts";
import type { Member } from "../../models/members/member.ts";
import { Model } from "../../models/model.ts";
import { bindingOf } from "../../routing/filters/binding.ts";
import type { Applicant, QueueTicket, RouteSource } from "../../routing/queue/route-source.ts";
import type { RouteRequest } from "../../routing/route.ts";
import type { RouterLink } from "./router-link.ts";

/** A model in a front process: its routes come from the router process. */
export class FrontModel extends Model {
  readonly admission: RouteSource<Member>;

  constructor(name: string, blockSize: number, metrics: ModelMetrics, link: RouterLink) {
    super(name, blockSize, metrics);
    this.admission = new RemoteRoutes(link, this);
  }

  join(member: Member): void {
    this.add(member);
  }

  /** @param mayReturn whether requests for it are early and not wrong for a while */
  leave(member: Member, mayReturn: boolean): void {
    this.remove(member);
    if (mayReturn) this.left.add(member.instance, performance.now());
  }

  /** The member of this name. */
  member(name: string): Member | undefined {
    for (const member of this.members) if (member.instance.name === name) return member;
    return undefined;
  }
}

class RemoteRoutes implements RouteSource<Member> {
  readonly #link: RouterLink;
  readonly #model: FrontModel;

  constructor(link: RouterLink, model: FrontModel) {
    this.#link = link;
    this.#model = model;
  }

  apply(request: RouteRequest<Member>, applicant: Applicant<Member>): QueueTicket {
    return this.#link.apply(this.#model, request, applicant);
  }

  /** Where a session is bound to a worker, only the router process knows. */
  boundTo({ preferences }: RouteRequest<Member>): BoundTo | undefined {
    return bindingOf(preferences);
  }
}
