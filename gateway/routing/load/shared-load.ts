import type { AddedLoad } from "#router-wasm";
import type { RoutedInstance } from "../workers.ts";

/** Load on one rank of a worker. */
export type RankLoad = AddedLoad;

export const NO_LOAD: RankLoad = { prefillTokens: 0, decodeBlocks: 0, requests: 0 };

/** The gateways that share the workers. */
export interface GatewayShares {
  /** This gateway's name. */
  readonly own: string;
  /**
   * Each gateway's recent share of requests, by name, in any unit; a new map for each change. With equal shares, the
   * scorer would do more harm than good if one gateway has most of the requests.
   */
  readonly weights: ReadonlyMap<string, number>;
}

/** The other gateways in front of the same workers. */
export interface OtherGateways {
  /** Which gateways there are, and their shares of the requests. */
  readonly shares: () => GatewayShares;
  /** The load that this gateway and the others tell each other of for a model. */
  loadsOf(model: string): SharedLoads;
  /** A request was routed here. */
  countRequest(): void;
}

/** A model's load at all gateways, by the workers' shared ids. */
export interface SharedLoads {
  /** What the other gateways have booked. */
  booked(worker: string, rank: number): RankLoad;
  /** This gateway's own bookings have changed. */
  changed(worker: string, rank: number): void;
  /** The router that has the model now. */
  router: SharingRouter | undefined;
}

export interface SharingRouter {
  /** What this gateway itself has booked; nothing for a worker that it does not have. */
  ownLoad(worker: string, rank: number): RankLoad;
  /** The others' bookings have changed. */
  setBooked(worker: string, rank: number, load: RankLoad): void;
}

/** The id by which all gateways know a worker. */
export const sharedIdOf = ({ sharedId, id }: RoutedInstance): string => sharedId ?? id;
