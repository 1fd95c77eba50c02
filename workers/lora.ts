import {
  decodeLoadLoraRequest,
  decodeUnloadLoraRequest,
  type GenerateRequest,
  type Handler,
  type Logger,
  loadLoraEndpoint,
  type ModelCard,
  PlaneError,
  unloadLoraEndpoint,
} from "#runtime";
import type { Engine, LoraAdapters } from "./engine.ts";

/** What the endpoints need of their worker. */
export interface LoraHost {
  /** Whether its operator lets gateways change the adapters. */
  readonly allowsUpdates: boolean;
  /** Makes a change, then announces the adapters that the engine has. Changes wait for each other. */
  change(make: () => Promise<void>): Promise<void>;
  readonly log: Logger;
}

/** Serves the endpoints that load and unload LoRA adapters. */
export function loraHandlers(
  { card, lora }: Engine,
  { allowsUpdates, change, log }: LoraHost,
): Record<string, Handler> {
  return {
    async [loadLoraEndpoint](payload, call) {
      const { name, path, inPlace } = decodeLoadLoraRequest(payload);
      const adapters = changeable(card, lora, allowsUpdates);
      await change(async () => {
        checkName(name, card, adapters, inPlace);
        await adapters.load(name, path);
      });
      log.info("LoRA adapter loaded", { adapter: name, path });
      call.end();
    },
    async [unloadLoraEndpoint](payload, call) {
      const name = decodeUnloadLoraRequest(payload);
      const adapters = changeable(card, lora, allowsUpdates);
      await change(async () => {
        if (!adapters.names.includes(name)) throw refused(`The LoRA adapter '${name}' cannot be found.`);
        await adapters.unload(name);
      });
      log.info("LoRA adapter unloaded", { adapter: name });
      call.end();
    },
  };
}

/** @throws PlaneError `invalid_request` if an adapter that the engine starts with has the model's own name */
export function checkFirstAdapters({ card, lora }: Engine): void {
  for (const name of lora?.names ?? []) checkName(name, card, { names: [] }, true);
}

/** @throws PlaneError `draining` if the adapter has left: other workers may still have it */
export function checkAdapter({ loraName }: GenerateRequest, { lora }: Engine): void {
  if (loraName === undefined || lora?.names.includes(loraName)) return;
  throw new PlaneError("draining", `This worker does not have the LoRA adapter '${loraName}'.`);
}

/** @throws PlaneError `invalid_request` unless the adapters can be changed */
function changeable(
  { engine }: ModelCard,
  lora: LoraAdapters | undefined,
  allowsUpdates: boolean,
): LoraAdapters {
  if (lora === undefined) throw refused(`The engine '${engine.name}' has no LoRA adapters.`);
  if (!allowsUpdates)
    throw refused("This worker's LoRA adapters are fixed. Start it with --lora-updates to change them.");
  return lora;
}

function checkName(
  name: string,
  card: ModelCard,
  { names }: Pick<LoraAdapters, "names">,
  inPlace: boolean,
): void {
  if (name === card.name || card.aliases.includes(name))
    throw refused(`The LoRA adapter '${name}' needs another name: this one is the model's own.`);
  if (names.includes(name) && !inPlace)
    throw refused(
      `The LoRA adapter '${name}' has already been loaded. To replace it, set 'load_inplace' to true.`,
    );
}

const refused = (message: string) => new PlaneError("invalid_request", message);
