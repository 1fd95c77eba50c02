import { optionsHelp } from "../options/help.ts";
import type { OptionSpecs } from "../options/spec.ts";
import {
  attachOptions,
  doctorOptions,
  gatewayOptions,
  keysOptions,
  upOptions,
  workerOptions,
} from "../options/tables.ts";

/** The text of `stator COMMAND --help`, by command. Separate from the commands, so that it loads none of their code. */
export const commandHelp: Readonly<Record<string, (() => string) | undefined>> = {
  attach: () =>
    helpText(
      "attach URL… [OPTIONS]",
      `Serves running engines (vLLM, SGLang, TensorRT-LLM, llama.cpp, or any server that speaks OpenAI's API) at one
address, and sends each request to the engine that has most of its prompt cached. Detects what each engine is.`,
      attachOptions,
    ),
  doctor: () =>
    helpText(
      "doctor URL… [OPTIONS]",
      `Examines engines and proves that KV-aware routing works. Says what is wrong, what it costs, and which flag of which
engine fixes it. Each engine gets two short requests for one token. Given the address of a running gateway, has it examine
its own engines with its own keys and certificates; --engine-key is then the gateway's admin key, and is never sent to an
engine. Exit code: 0 all is well, 1 something is wrong, 2 invalid usage.`,
      doctorOptions,
    ),
  gateway: () =>
    helpText(
      "gateway --discovery URL [OPTIONS]",
      "Serves the OpenAI API on one port and routes each request to the worker that has most of its prompt cached.",
      gatewayOptions,
    ),
  keys: () =>
    helpText(
      "keys add ID | list | rotate ID | revoke ID  --keys FILE [OPTIONS]",
      `Creates, lists, rotates and revokes the API keys of a gateway. A new key is printed once; the file stores only its
hash. A gateway that uses the file applies each change at once.`,
      keysOptions,
    ),
  up: () =>
    helpText(
      "up [OPTIONS]",
      "Starts one gateway and its workers as child processes, and stops them together. Needs no GPU or\nother server. From a checkout: npm start -- [OPTIONS].",
      upOptions,
    ),
  worker: () =>
    helpText(
      "worker ENGINE --discovery URL [OPTIONS]",
      "ENGINE is llama (llama.cpp, needs no GPU), mocker (a simulated vLLM on a GPU), echo (no model), or the path of your own worker module.",
      workerOptions,
    ),
  acceptor: () => "Internal: started by --processes N of other commands.",
  version: () => "Usage: stator version",
};

/** The help text of a command with these options. */
function helpText(usageLine: string, text: string, specs: OptionSpecs): string {
  return `Usage: stator ${usageLine}

${text}

Options (also as STATOR_… variables, and in stator.yaml under the same names):
${optionsHelp(specs)}`;
}
