import { nearest } from "#runtime";
import type { ModelsAction } from "../models/actions/context.ts";
import { fetchModels } from "../models/actions/fetch.ts";
import { listModels } from "../models/actions/list.ts";
import { removeModels } from "../models/actions/remove.ts";
import { showModels } from "../models/actions/show.ts";
import { verifyModels } from "../models/actions/verify.ts";
import { defaultModelFolder } from "../models/index.ts";
import { terminalProgress } from "../models/progress.ts";
import { readOptions, UsageError } from "../options/read.ts";
import { modelsOptions } from "../options/tables.ts";
import type { Command } from "./command.ts";

interface Action {
  readonly run: ModelsAction;
  readonly names: "none" | "some" | "any";
}

const ACTIONS = new Map<string, Action>([
  ["list", { run: listModels, names: "none" }],
  ["fetch", { run: fetchModels, names: "some" }],
  ["verify", { run: verifyModels, names: "any" }],
  ["remove", { run: removeModels, names: "some" }],
  ["show", { run: showModels, names: "some" }],
]);

export const modelsCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(modelsOptions, argv, process.env);
    const [name = "list", ...names] = positionals;
    const action = ACTIONS.get(name);
    if (action === undefined) {
      const similar = nearest(name, ACTIONS.keys());
      const hint = similar === undefined ? "" : ` Did you mean '${similar}'?`;
      throw new UsageError(
        `stator models has no '${name}'.${hint} It takes list, show, fetch, verify or remove; see stator models --help.`,
      );
    }
    if (action.names === "none" && names.length > 0)
      throw new UsageError(`Unexpected argument '${names[0]}'. One model: stator models show ${names[0]}.`);
    if (action.names === "some" && names.length === 0)
      throw new UsageError(`stator models ${name} needs the name of a model, such as qwen3:0.6b.`);
    return action.run({
      folder: options["model-folder"] ?? defaultModelFolder(),
      names,
      json: options.json,
      print: (text) => console.log(text),
      progress: terminalProgress(),
    });
  },
};
