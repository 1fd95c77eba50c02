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
    if (rest.length > 0) throw new UsageError(`Unexpected argument '${rest[0]}'; see stator keys --help.`);
    if (action === undefined || !ACTIONS.includes(action))
      throw new UsageError("stator keys needs one of: add ID, list, rotate ID, revoke ID.");
    if (path === undefined) throw new UsageError("--keys FILE is required, such as --keys keys.yaml.");
    switch (action) {
      case "add":
        printKey(await change(path, action, id, (store, name) => store.add(describe(name, options)), true));
        return 0;
      case "rotate":
        printKey(await change(path, action, id, (store, name) => store.rotate(name, options.grace)));
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
  throw new UsageError(`stator keys ${action} needs the key's id: stator keys ${action} ID`);
}

function describe(id: string, options: KeysOptions): KeyDescription {
  const { models, expires, group } = options;
  const requests = options["requests-per-minute"];
  const tokens = options["tokens-per-minute"];
  return {
    id,
    ...(models.length > 0 && { models }),
    ...(requests !== undefined && { requests_per_minute: requests }),
    ...(tokens !== undefined && { tokens_per_minute: tokens }),
    ...(expires !== undefined && { expires }),
    ...(options.admin && { admin: true }),
    ...(group !== undefined && { group }),
  };
}

/** Only the key goes to standard output, so that a script can read it. */
function printKey(key: string): void {
  console.error("This key is shown only once:");
  console.log(key);
}
