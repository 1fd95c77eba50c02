import { type KeyDescription, KeyStore } from "../keys/key-store.ts";
import { keyTable } from "../keys/key-table.ts";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { keysOptions } from "../options/tables.ts";
import type { Command } from "./command.ts";

type KeysOptions = OptionValues<typeof keysOptions>;

const ACTIONS = ["add", "list", "rotate", "revoke"];

export const keysCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(keysOptions, argv, process.env);
    const [action, id, ...rest] = positionals;
    const { keys: path } = options;
    if (rest.length > 0) throw new UsageError(`'${rest[0]}' is not understood; see stator keys --help.`);
    if (action === undefined || !ACTIONS.includes(action))
      throw new UsageError("stator keys is followed by add ID, list, rotate ID or revoke ID.");
    if (path === undefined) throw new UsageError("Which file? --keys keys.yaml");
    switch (action) {
      case "add":
        tellKey(await change(path, action, id, (store, name) => store.add(describe(name, options)), true));
        return 0;
      case "rotate":
        tellKey(await change(path, action, id, (store, name) => store.rotate(name, options.grace)));
        return 0;
      case "revoke":
        await change(path, action, id, (store, name) => store.revoke(name));
        return 0;
      default:
        console.log(keyTable((await KeyStore.open(path)).list(), Date.now()));
        return 0;
    }
  },
};

function change<Value>(
  path: string,
  action: string,
  id: string | undefined,
  work: (store: KeyStore, id: string) => Promise<Value>,
  mayBeNew = false,
): Promise<Value> {
  const name = required(id, action);
  return KeyStore.change(path, (store) => work(store, name), mayBeNew);
}

function required(id: string | undefined, action: string): string {
  if (id !== undefined) return id;
  throw new UsageError(`Which key? stator keys ${action} NAME`);
}

function describe(id: string, options: KeysOptions): KeyDescription {
  const { models, expires } = options;
  const requests = options["requests-per-minute"];
  const tokens = options["tokens-per-minute"];
  return {
    id,
    ...(models.length > 0 && { models }),
    ...(requests !== undefined && { requests_per_minute: requests }),
    ...(tokens !== undefined && { tokens_per_minute: tokens }),
    ...(expires !== undefined && { expires }),
    ...(options.admin && { admin: true }),
  };
}

/** The key goes to standard output alone, so that a script can take it from there. */
function tellKey(key: string): void {
  console.error("This is the only time that the key is shown:");
  console.log(key);
}
