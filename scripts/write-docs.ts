/** `npm run docs`: writes the parts of the docs that are made from the code. A test checks that they are current. */
import { writeFileSync } from "node:fs";
import { configurationPage, configurationPath } from "../cli/options/docs.ts";

writeFileSync(configurationPath, configurationPage());
