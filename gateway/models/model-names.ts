/** Names that an operator gives to models, beside those that engines and workers give them. */
export interface ModelNames {
  /** Further name → the model's own name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Name → names of models that answer in its place, in this order, when it cannot. */
  readonly fallbacks: ReadonlyMap<string, readonly string[]>;
}

export const NO_NAMES: ModelNames = { aliases: new Map(), fallbacks: new Map() };
