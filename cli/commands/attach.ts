import type { EngineSpec } from "#gateway";
import { followEngines } from "../attach/follow.ts";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { attachOptions } from "../options/tables.ts";
import { openServiceAt, serveUntilStopped } from "../service.ts";
import { tellSupervisor } from "../supervisor-link.ts";
import { type Command, commandHelp } from "./command.ts";
import { gatewayUrl, startGateway } from "./gateway-settings.ts";

type AttachOptions = OptionValues<typeof attachOptions>;

export const attachCommand: Command = {
  help: () =>
    commandHelp(
      "attach URL… [OPTIONS]",
      `Serves engines that already run (vLLM, SGLang, TensorRT-LLM, llama.cpp, or whatever speaks OpenAI's API) at one
address, and sends each request to the one that holds most of its prompt. What an engine is, it finds out itself.`,
      attachOptions,
    ),
  async run(argv) {
    const { options, positionals } = readOptions(attachOptions, argv, process.env);
    const engines = enginesOf(options, positionals);
    const service = await openServiceAt("memory:attach", "attach", options);
    const gateway = await startGateway(options, service, {
      engines,
      tokenizers: new Map(options.tokenizer.map(readTokenizer)),
      health: {
        intervalMs: options["health-interval"] * 1000,
        timeoutMs: options["health-timeout"] * 1000,
        failures: options["health-failures"],
        slowStartMs: options["slow-start"] * 1000,
      },
      forwarding: {
        connectMs: options["connect-timeout"] * 1000,
        firstByteMs: options["first-token-timeout"] * 1000,
        idleMs: options["idle-timeout"] * 1000,
        retries: options.retries,
        migrationLimit: options["migration-limit"],
      },
    });
    const url = gatewayUrl(options, gateway.port);
    tellSupervisor({ type: "ready", url });
    void followEngines(gateway.models.attached, url);
    return serveUntilStopped(service, options, (deadlineMs) => gateway.drain(deadlineMs));
  },
};

/** @throws UsageError where there is none, or an address is none */
function enginesOf(options: AttachOptions, positionals: readonly string[]): EngineSpec[] {
  const given = [...positionals.map((url): EngineSpec => ({ url })), ...options.engines];
  if (given.length === 0)
    throw new UsageError("Which engines? stator attach http://127.0.0.1:8001 http://127.0.0.1:8002 …");
  const endpoint = options["kv-events"];
  const kvEvents = endpoint && { endpoint, replayEndpoint: options["kv-events-replay"] };
  return given.map((spec) => ({
    ...spec,
    apiKey: spec.apiKey ?? options["engine-key"],
    kvEvents: spec.kvEvents ?? (kvEvents || undefined),
  }));
}

/** `MODEL=DIR`, or a folder for all models. */
function readTokenizer(text: string): [model: string, folder: string] {
  const equals = text.indexOf("=");
  return equals < 0 ? ["", text] : [text.slice(0, equals), text.slice(equals + 1)];
}
