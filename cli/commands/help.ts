import { optionsHelp } from "../options/help.ts";
import type { OptionSpecs } from "../options/spec.ts";
import {
  attachOptions,
  doctorOptions,
  gatewayOptions,
  keysOptions,
  modelsOptions,
  upOptions,
  workerOptions,
} from "../options/tables.ts";

/**
 * The text of `stator COMMAND --help`, by command. Separate from the commands, so that it loads none of their code.
 * It can depend on the words after the command.
 */
export const commandHelp: Readonly<Record<string, ((words?: readonly string[]) => string) | undefined>> = {
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
  models: (words = []) => modelsHelp(words.find((word) => Object.hasOwn(MODELS_ACTIONS, word))),
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

const MODELS_ACTIONS: Readonly<Record<string, { readonly usage: string; readonly text: string }>> = {
  list: {
    usage: "[list]",
    text: "Lists the models that have a name, which of them are on this machine, and other files in the model folder.",
  },
  show: { usage: "show NAME…", text: "Shows all that is known about a model and its file." },
  fetch: {
    usage: "fetch NAME…",
    text: "Downloads models and verifies them. An interrupted download resumes. Exit code 1: one failed.",
  },
  verify: {
    usage: "verify [NAME…]",
    text: "Compares files, by default all, with the checksums kept since the download. Exit code 1: one is damaged.",
  },
  remove: {
    usage: "remove NAME…",
    text: "Deletes models from the model folder. Refuses those that a running worker uses (on Linux).",
  },
};

function modelsHelp(action: string | undefined): string {
  const names = `NAME is a name from the list, an address as for --model (hf:owner/repo@rev/file.gguf, https:…), or a file's
name in the model folder.`;
  const { usage, text } =
    action === undefined
      ? {
          usage: "[list] | show | fetch | verify | remove  [NAME…]",
          text: Object.values(MODELS_ACTIONS)
            .map((each) => `  ${each.usage.padEnd(16)}${each.text}`)
            .join("\n"),
        }
      : MODELS_ACTIONS[action]!;
  return helpText(`models ${usage} [OPTIONS]`, `${text}\n\n${names}`, modelsOptions);
}

/** The help text of a command with these options. */
function helpText(usageLine: string, text: string, specs: OptionSpecs): string {
  return `Usage: stator ${usageLine}

${text}

Options (also as STATOR_… variables, and in stator.yaml under the same names):
${optionsHelp(specs)}`;
}
