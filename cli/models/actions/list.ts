import { textTable } from "../../text-table.ts";
import { byteText } from "../byte-text.ts";
import { CATALOGUE, type CatalogueModel, memoryNeeded } from "../catalogue/index.ts";
import { placeOf, type StoredModel, storedModels } from "../stored.ts";
import { type ModelsAction, printResult } from "./context.ts";
import { describeModel, describeStored, presenceOf } from "./describe.ts";

const HEAD = ["name", "size", "memory", "context", "tools", "reasons", "sees", "licence", "here"];

/** Lists the catalogue, and the files in the model folder. */
export const listModels: ModelsAction = async (context) => {
  const { folder } = context;
  const stored = await storedModels(folder);
  const storedAt = new Map(stored.map((model) => [model.path, model]));
  const models = CATALOGUE.map((model) => ({ model, here: storedAt.get(placeOf(model, folder).path) }));
  const others = stored.filter(({ catalogue }) => catalogue === undefined);
  const value = {
    folder,
    models: models.map(({ model, here }) => ({
      ...describeModel(model),
      here: presenceOf(here),
      file: here === undefined ? null : describeStored(here),
    })),
    files: others.map((each) => ({ name: each.name, ...describeStored(each) })),
  };
  const table = textTable([HEAD, ...models.map(({ model, here }) => rowOf(model, here))]);
  printResult(context, value, [table, NOTES, ...filesText(folder, others)].join("\n\n"));
  return 0;
};

const NOTES = `* is what the name before the colon means alone; smollm2:135m is the model without --model.
memory is about what one worker needs with its default 4 sequences of 4,096 tokens.
sees is what the model can: workers give it text only.
Start one: npm start -- --model NAME. Download it: stator models fetch NAME.`;

function rowOf(model: CatalogueModel, here: StoredModel | undefined): string[] {
  const yes = (value: unknown) => (value ? "yes" : "");
  return [
    `${model.name}${model.isFamilyDefault ? " *" : ""}`,
    byteText(model.bytes),
    byteText(memoryNeeded(model)),
    model.contextLength.toLocaleString("en"),
    model.embeds ? "embeds" : yes(model.toolParser),
    yes(model.reasoningParser),
    yes(model.sees),
    model.licence,
    here === undefined ? "" : presenceOf(here),
  ];
}

function filesText(folder: string, files: readonly StoredModel[]): string[] {
  if (files.length === 0) return [];
  const rows = files.map((file) => [
    file.name,
    byteText(file.bytes),
    file.isComplete ? "" : "partial",
    file.record?.source ?? "",
  ]);
  return [`Other files in ${folder}:\n${textTable(rows)}`];
}
