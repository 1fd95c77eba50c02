/** `npm run docs`: generates the parts of the docs that come from the code. A test checks that they are current. */
import { writeFileSync } from "node:fs";
import { modelsPage, modelsPagePath } from "../cli/models/catalogue/docs.ts";
import { configurationPage, configurationPath } from "../cli/options/docs.ts";

writeFileSync(configurationPath, configurationPage());
writeFileSync(modelsPagePath, modelsPage());
