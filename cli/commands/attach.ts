import { EngineGroup, type EngineSpec } from "#gateway";
import { randomId } from "#runtime";
import { findsNoPodWorkers, followKubernetes } from "#runtime/node";
import { followEngines } from "../attach/follow.ts";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { attachOptions } from "../options/tables.ts";
import { logged, openServiceAt, serveUntilStopped } from "../service.ts";
import { settleHeap } from "../settle-heap.ts";
import { notifySupervisor } from "../supervisor-link.ts";
import { startProcesses } from "./acceptor-settings.ts";
import { checkOwnAddress } from "./access-settings.ts";
import { healthSettings, requestSettings, rescueSettings } from "./attach-settings.ts";
import type { Command } from "./command.ts";
import { completeSpec, enginesOf, tokenizersOf } from "./engine-options.ts";
import { kubernetesSources } from "./kubernetes-settings.ts";
import { modelNames, warnOfMissing } from "./name-settings.ts";
import { peerPlace, workerPlane } from "./plane-settings.ts";

export const attachCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(attachOptions, argv, process.env);
    return logged("attach", options, () => serveEngines(options, positionals));
  },
};

async function serveEngines(
  options: OptionValues<typeof attachOptions>,
  positionals: readonly string[],
): Promise<number> {
  if (options.discovery !== undefined && !findsNoPodWorkers(options.discovery))
    throw new UsageError(
      "--discovery of stator attach is for other gateways: kubernetes:?gateways=SERVICE finds them, and --kubernetes-service finds engines.",
    );
  const clusters = kubernetesSources(options);
  const engines = enginesOf("attach", options, positionals, clusters.length > 0);
  if (clusters.length === 0 && engines.every(({ role }) => role === "prefill" || role === "encode"))
    throw new UsageError(
      engines.some(({ role }) => role === "prefill")
        ? "--prefill engines only compute prompts. Add --decode engines, which answer."
        : "--encode engines only encode media. Add engines that answer: their URLs, without a flag.",
    );
  checkOwnAddress(engines, options);
  const plane = await workerPlane(options);
  const shared = {
    id: randomId(),
    tokenizers: tokenizersOf(options),
    modelNames: modelNames(options),
    requestOptions: requestSettings(options),
    rescue: rescueSettings(options),
    discoveryUrl: undefined,
    drainWithinMs: options["drain-within"] * 1000,
    workerPlane: plane,
  };
  const service = await openServiceAt(options.discovery ?? "memory:attach", "attach", options, {
    workerTls: plane.tls,
  });
  const peerPlane = await peerPlace(options, plane.tls);
  const own = { engines, loras: options.lora, health: healthSettings(options), peerPlane };
  const gateway = await startProcesses(options, service, shared, own);
  notifySupervisor({ type: "ready", url: gateway.url });
  const { engines: attached } = gateway;
  const jsonLog = options["log-format"] === "json" ? service.log : undefined;
  const { log } = service;
  const following = clusters.map(({ source, role }) => {
    const complete = (spec: EngineSpec) => completeSpec({ ...spec, role }, options);
    return followKubernetes(
      source,
      () => new EngineGroup(attached, complete, options["drain-within"] * 1000, log),
      log,
    );
  });
  void Promise.all(following.map(({ first }) => first))
    .then(() => followEngines(attached, { ...gateway, needsKey: options.keys !== undefined }, jsonLog))
    .then(() => warnOfMissing(gateway.models, service.log))
    .then(settleHeap);
  return serveUntilStopped(service, options, {
    beginDrain: () => gateway.beginDrain(),
    async drain(deadlineMs) {
      await gateway.stopAcceptors(deadlineMs);
      for (const each of following) each.close();
      await gateway.drain(deadlineMs);
    },
  });
}
