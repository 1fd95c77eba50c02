// `npm run ocr`: installs OCR models (PaddleOCR's PP-OCRv4), ONNX Runtime and a decoder of pictures from npm, and prints the
// folder for `openOcrReader`. Runs on the system's Node (20 or newer) and imports nothing that has to be installed.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { main, root } from "./install.mjs";
import { ensureOnnx } from "./onnx.mjs";

const folder = join(root, "runtime-tests", "ocr");

/**
 * Installs the models in this checkout.
 * @returns their folder
 * @throws Stop, after an error message, if the installation fails
 */
export async function ensureOcr() {
  await ensureOnnx(
    folder,
    "Installing OCR models, ONNX Runtime and sharp (95 MB on disk, 340 MB for a moment), once.",
  );
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(async () => {
    console.log(await ensureOcr());
  });
