import { availableParallelism } from "node:os";
import { PlaneError } from "#runtime";
import { startWorker } from "#workers";
import { readOptions, UsageError } from "../options/read.ts";
import { workerOptions } from "../options/tables.ts";
import { logged, openService, serveUntilStopped } from "../service.ts";
import { isSupervised, notifySupervisor } from "../supervisor-link.ts";
import type { Command } from "./command.ts";
import { openWorkerEvents } from "./events-settings.ts";
import { checkFaults } from "./fault-settings.ts";
import { loadEngine } from "./load-engine.ts";
import { workerPlace } from "./plane-settings.ts";
import { kvEventsPrivacy } from "./privacy-settings.ts";
import { readEngineOptions, type WorkerCommandOptions, workerPlaces } from "./worker-options.ts";

export const workerCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(workerOptions, argv, process.env);
    const [engine] = positionals;
    if (engine === undefined)
      throw new UsageError(
        "No engine given: stator worker llama, moonshine, ocr, mocker, echo, or the path of a module.",
      );
    return logged(options.name ?? "worker", options, () => serveWorkers(engine, options));
  },
};

async function serveWorkers(engine: string, options: WorkerCommandOptions): Promise<number> {
  checkFaults(options.fault);
  const definition = await loadEngine(engine);
  const places = workerPlaces(definition.name, options);
  const name = places.length > 1 ? (options.name ?? definition.name) : places[0]!.name;
  const privacy = await kvEventsPrivacy(options);
  const service = await openService(name, options, { isWorker: true });
  const address = await workerPlace(options);
  const kvEventStream = await openWorkerEvents(options, service.log);
  const { engineOptions, parsers } = await readEngineOptions(definition.name, options, service.log);
  const workers = await Promise.all(
    places.map(({ faultSeed, ...place }) =>
      startWorker({
        definition,
        engineOptions: { ...engineOptions, faultSeed },
        threads: options.threads ?? availableParallelism(),
        discovery: service.discovery,
        kvEventStream,
        namespace: options.namespace,
        opsHost: options["ops-host"],
        tags: options.tag,
        loraUpdates: options["lora-updates"],
        drainWithinMs: options["drain-within"] * 1000,
        drainMs: options["drain-timeout"] * 1000,
        // A custom engine's card may have a role of its own.
        role: options.role === "aggregated" ? undefined : options.role,
        ...parsers,
        kvTransfer: {
          kind: options["kv-transfer"],
          timeoutMs: options["kv-transfer-timeout"] * 1000,
          leaseMs: options["kv-lease"] * 1000,
          encodedBytes: options["encoded-bytes"],
        },
        kvEventsPrivacy: privacy,
        log: service.log.child({ name: place.name }),
        ...address,
        ...place,
      }).catch((error: unknown) => {
        // Its address is in use, a file of its certificate cannot be used, or it cannot have its role.
        throw error instanceof PlaneError ? new UsageError(error.message) : error;
      }),
    ),
  );
  // Under a supervisor, the gateway logs the workers that join.
  for (const { instance, opsUrl } of workers)
    service.log[isSupervised() ? "debug" : "info"]("worker is ready", {
      worker: instance.name,
      model: instance.card.name,
      role: instance.card.role,
      address: instance.address,
      ops: opsUrl,
      seconds: Math.round(process.uptime() * 10) / 10,
    });
  notifySupervisor({ type: "ready", url: workers[0]!.opsUrl });
  void Promise.all(workers.map(({ drained }) => drained)).then(() =>
    service.lifecycle.shutdown("all of its workers have left"),
  );
  return serveUntilStopped(service, options, {
    async drain(deadlineMs) {
      const withinMs = options["drain-within"] * 1000;
      await Promise.all(workers.map((worker) => worker.drain({ withinMs, deadlineMs })));
      kvEventStream?.close();
    },
  });
}
