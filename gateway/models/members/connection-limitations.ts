import type { Limitation } from "../../engines/types.ts";

export const DEAF: Limitation = {
  code: "kv-events",
  what: "the gateway cannot follow its KV events on this runtime, so what its cache holds is predicted",
  flag: undefined,
};

export const REPLICAS: Limitation = {
  code: "replicas",
  what: "several engines answer at its address, so what each of them has cached is not known: attach each by an address of its own",
  flag: undefined,
};
