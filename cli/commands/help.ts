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

/** The text of `stator COMMAND --help`, by command: apart from the commands, so that it needs nothing that they do. */
export const commandHelp: Readonly<Record<string, (() => string) | undefined>> = {
  attach: () =>
    helpText(
      "attach URL… [OPTIONS]",
      `Serves engines that already run (vLLM, SGLang, TensorRT-LLM, llama.cpp, or whatever speaks OpenAI's API) at one
address, and sends each request to the one that holds most of its prompt. What an engine is, it finds out itself.`,
      attachOptions,
    ),
  doctor: () =>
    helpText(
      "doctor URL… [OPTIONS]",
      `Examines engines and proves that requests can be routed by what their caches hold. Says what is wrong, what it
costs, and which flag of which engine mends it. Each engine gets two short requests for one token. A running gateway, by
its address, examines its own engines, with the keys and certificates that it has; --engine-key is then its admin key,
and no engine is sent it. Exit code: 0 all is well, 1 something is wrong, 2 wrong usage.`,
      doctorOptions,
    ),
  gateway: () =>
    helpText(
      "gateway --discovery file:/DIR [OPTIONS]",
      "Serves the OpenAI API on one port and routes each request to the worker that holds most of its prompt.",
      gatewayOptions,
    ),
  keys: () =>
    helpText(
      "keys add ID | list | rotate ID | revoke ID  --keys FILE [OPTIONS]",
      `Makes, lists, changes and revokes the API keys of a gateway. A new key is printed once; the file has only its
hash. A gateway that runs with the file takes each change at once.`,
      keysOptions,
    ),
  up: () =>
    helpText(
      "up [OPTIONS]",
      "Starts one gateway and its workers as child processes, and stops them together. Needs no GPU and no\nother server. From a checkout: npm start -- [OPTIONS].",
      upOptions,
    ),
  worker: () =>
    helpText(
      "worker ENGINE --discovery file:/DIR [OPTIONS]",
      "ENGINE is llama (llama.cpp, needs no GPU), mocker (a simulated vLLM on a GPU), echo (no model), or the path of a worker module of your own.",
      workerOptions,
    ),
  acceptor: () => "--processes N of other commands starts this one; it is of no use by itself.",
  version: () => "Usage: stator version",
};

/** Made from the command's options. */
function helpText(usageLine: string, text: string, specs: OptionSpecs): string {
  return `Usage: stator ${usageLine}

${text}

Options (also as STATOR_… variables, and in stator.yaml under the same names):
${optionsHelp(specs)}`;
}
