import { until } from "../metrics.ts";

/** Waits until the gateway can send requests to this many engines. */
export const enginesAreReady = (url: string, count: number) =>
  until(async () => {
    const { models } = (await (await fetch(`${url}/health`)).json()) as {
      models: { workers: { status: string }[] }[];
    };
    const states = models.flatMap(({ workers }) => workers.map(({ status }) => status));
    return states.filter((status) => status === "ready").length === count;
  });
