import type { Family } from "../family.ts";
import { numberIn } from "../json.ts";
import { qwen2Video, qwenImage } from "./vision.ts";

/** Qwen2-VL and Qwen2.5-VL (vLLM 0.32, `Qwen2VLMultiModalProcessor`). */
export const qwen2Vl: Family = {
  name: "qwen2-vl",
  architectures: ["Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration"],
  read(files) {
    const image = files.tokenId("<|image_pad|>") ?? numberIn(files.config, "image_token_id");
    const video = files.tokenId("<|video_pad|>") ?? numberIn(files.config, "video_token_id");
    return {
      image: image === undefined ? undefined : qwenImage(files, image),
      video: video === undefined ? undefined : qwen2Video(files, video),
    };
  },
};
