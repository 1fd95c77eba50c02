// A thread for tests of `ModelThread`, whose model counts.
import { workerData } from "node:worker_threads";
import { isRaised } from "../cancel-flag.ts";
import { serveModel } from "../serve-model.ts";

export interface CountRequest {
  readonly kind: "count" | "refuse" | "fail" | "wait" | "forget";
  readonly id: number;
  readonly to: number;
  readonly cancelled?: Int32Array;
}

export interface CountingData {
  /** Why the model cannot be loaded, if it cannot. */
  readonly broken?: string;
}

/** `workerData`, which Node leaves untyped. */
const data: CountingData = workerData;

await serveModel<{ requests: number }, CountRequest, number, string>({
  open: async () => {
    if (data.broken !== undefined) throw new Error(data.broken);
    return { requests: 0 };
  },
  handle: async (model, { kind, to, cancelled }, onPart) => {
    model.requests++;
    switch (kind) {
      case "count":
        for (let part = 1; part <= to; part++) onPart(part);
        return `request ${model.requests}`;
      case "wait":
        // As a model that computes would, it reads no messages meanwhile.
        while (!isRaised(cancelled!));
        return "cancelled";
      case "forget":
        return undefined;
      default:
        throw new Error(`cannot ${kind}`);
    }
  },
  onFailure: ({ kind }) => (kind === "refuse" ? "too far" : undefined),
  close: async () => {},
});
