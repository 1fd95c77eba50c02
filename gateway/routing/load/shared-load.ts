import type { AddedLoad } from "#router-wasm";
import type { RoutedInstance } from "../workers.ts";

/** Load on one rank of a worker. */
export type RankLoad = Omit<AddedLoad, "recentPrefillTokens">;

export const NO_LOAD: RankLoad = { prefillTokens: 0, decodeBlocks: 0, requests: 0 };

/** The gateways that share the workers. */
export interface GatewayShares {
  /** This gateway's name. */
  readonly own: string;
  /**
   * Each gateway's recent share of requests, by name, in any unit; a new map after each change. Equal shares would make
   * routing worse if one gateway has most of the requests.
   */
  readonly weights: ReadonlyMap<string, number>;
}

/** The other gateways in front of the same workers. */
export interface OtherGateways {
  /** All gateways, and their shares of the requests. */
  readonly shares: () => GatewayShares;
  /** The load of a model that gateways share. */
  loadsOf(model: string): SharedLoads;
  /** A request was routed here. */
  countRequest(): void;
}

/** A model's load at all gateways, by the workers' shared ids. */
export interface SharedLoads {
  /** The load that other gateways have booked. */
  booked(worker: string, rank: number): RankLoad;
  /** This gateway's own load has changed. */
  changed(worker: string, rank: number, newPrefillTokens?: number): void;
  /** The model's current router. */
  router: SharingRouter | undefined;
}

export interface SharingRouter {
  /** The load that this gateway has booked; 0 for an unknown worker. */
  ownLoad(worker: string, rank: number): RankLoad;
  /** The other gateways' load has changed. */
  setBooked(worker: string, rank: number, load: RankLoad, newPrefillTokens: number): void;
}

/** The id by which all gateways know a worker. */
export const sharedIdOf = ({ sharedId, id }: RoutedInstance): string => sharedId ?? id;
