// `npm run video`: installs a reader of video containers and FFmpeg's codecs from npm, for examples/multimodal, and prints the
// folder. Runs on the system's Node (20 or newer) and imports nothing that has to be installed.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureInstalled, main, root } from "./install.mjs";

const folder = join(root, "runtime-tests", "video");

/**
 * Installs the packages in this checkout.
 * @returns their folder
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensureVideo() {
  await ensureInstalled(folder, "Installing a decoder of videos (80 MB on disk), once.");
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(async () => {
    console.log(await ensureVideo());
  });
