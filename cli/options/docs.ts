import { fileURLToPath } from "node:url";
import { optionsTable } from "./help.ts";
import {
  attachOptions,
  doctorOptions,
  gatewayOptions,
  keysOptions,
  upOptions,
  workerOptions,
} from "./tables.ts";

export const configurationPath = fileURLToPath(new URL("../../docs/configuration.md", import.meta.url));

/** docs/configuration.md, made from the same tables as `--help`. */
export const configurationPage =
  () => `<!-- Made by "npm run docs" from cli/options/tables.ts; do not edit. -->

# Configuration

Every option can be given as a flag, as a variable, or in a YAML file under the flag's name. Flags go before
variables, these before the file, and that before the defaults. An unknown name is an error that suggests the
nearest known one.

\`\`\`yaml
# stator.yaml in the current folder, or --config FILE
port: 8080
workers: 4
model: hf:owner/repo/file.gguf
policy: kv
\`\`\`

## stator up

${optionsTable(upOptions)}

## stator attach

${optionsTable(attachOptions)}

## stator doctor

${optionsTable(doctorOptions)}

## stator gateway

${optionsTable(gatewayOptions)}

## stator keys

${optionsTable(keysOptions)}

## stator worker

${optionsTable(workerOptions)}
`;
