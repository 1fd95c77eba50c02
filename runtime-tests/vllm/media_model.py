"""Writes the Hugging Face folder of a tiny model that sees, or sees and hears, with weights that tell media apart.

Usage: media_model.py qwen2vl|omni FOLDER TEXT-FILE...

The tokenizer is a byte-level BPE trained on the text files. The weights are random, but large enough for each picture and
sound to change the answer.
"""

import sys
from pathlib import Path

from model_folder import CONTROLS, train_tokenizer, write

TEXT = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
}
VISION = {
    "depth": 2,
    "embed_dim": 64,
    "num_heads": 4,
    "in_chans": 3,
    "in_channels": 3,
    "patch_size": 14,
    "spatial_patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
AUDIO = {
    "model_type": "qwen2_5_omni_audio_encoder",
    "num_mel_bins": 128,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "d_model": 64,
    "max_source_positions": 1500,
    "n_window": 100,
    "output_dim": 256,
    "activation_function": "gelu",
}
PIXELS = {
    "min_pixels": 3136,
    "max_pixels": 200704,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
SOUND = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "chunk_length": 300,
    "dither": 0.0,
    "feature_size": 128,
    "hop_length": 160,
    "n_fft": 400,
    "n_samples": 4800000,
    "nb_max_frames": 30000,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
    "sampling_rate": 16000,
}


def template(places: dict[str, str]) -> str:
    """A ChatML template that writes a place for each medium."""
    media = "".join(
        "{%- " + ("if" if index == 0 else "elif") + f" part.type == '{kind}' %}}{{{{- '{place}' }}}}\n"
        for index, (kind, place) in enumerate(places.items())
    )
    return (
        "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}\n"
        "{%- if message.content is string %}{{- message.content }}{%- else %}\n"
        "{%- for part in message.content %}\n"
        + media
        + "{%- elif 'text' in part %}{{- part.text }}{%- endif %}\n"
        "{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}\n"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
    )


def write_tokenizer(folder: Path, texts: list[str], controls: list[str], places: dict[str, str], more: dict):
    """@returns the vocabulary's size, and the id of each control token"""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(texts, CONTROLS + controls)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": template(places),
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 4096,
            **more,
        },
    )
    ids = {text: tokenizer.token_to_id(text) for text in CONTROLS + controls}
    return tokenizer.get_vocab_size(), ids


def qwen2vl(folder: Path, texts: list[str]):
    controls = [f"<|{name}|>" for name in ("vision_start", "vision_end", "vision_pad", "image_pad", "video_pad")]
    places = {kind: f"<|vision_start|><|{kind}_pad|><|vision_end|>" for kind in ("image", "video")}
    size, ids = write_tokenizer(folder, texts, controls, places, {"additional_special_tokens": controls})
    config = {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        **TEXT,
        "rope_scaling": {"type": "mrope", "mrope_section": [8, 12, 12]},
        "torch_dtype": "float32",
        "vocab_size": size,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_config": {
            **VISION,
            "hidden_size": 256,
            "mlp_ratio": 2,
            "hidden_act": "quick_gelu",
            "model_type": "qwen2_vl",
        },
    }
    processor = {**PIXELS, "processor_class": "Qwen2VLProcessor"}
    write(folder / "preprocessor_config.json", {**processor, "image_processor_type": "Qwen2VLImageProcessor"})
    write(
        folder / "video_preprocessor_config.json", {**processor, "video_processor_type": "Qwen2VLVideoProcessor"}
    )
    return config


def omni(folder: Path, texts: list[str]):
    named = {
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "image_token": "<|IMAGE|>",
        "video_token": "<|VIDEO|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
        "audio_token": "<|AUDIO|>",
    }
    places = {
        "image": "<|vision_bos|><|IMAGE|><|vision_eos|>",
        "video": "<|vision_bos|><|VIDEO|><|vision_eos|>",
        "audio": "<|audio_bos|><|AUDIO|><|audio_eos|>",
    }
    controls = [*named.values(), "<|vision_pad|>"]
    size, ids = write_tokenizer(folder, texts, controls, places, {"extra_special_tokens": named})
    thinker = {
        "model_type": "qwen2_5_omni_thinker",
        "architectures": ["Qwen2OmniNaViTThinkerForConditionalGeneration"],
        "audio_token_index": ids["<|AUDIO|>"],
        "image_token_index": ids["<|IMAGE|>"],
        "video_token_index": ids["<|VIDEO|>"],
        "audio_start_token_id": ids["<|audio_bos|>"],
        "audio_end_token_id": ids["<|audio_eos|>"],
        "vision_start_token_id": ids["<|vision_bos|>"],
        "vision_end_token_id": ids["<|vision_eos|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "position_id_per_seconds": 25,
        "seconds_per_chunk": 2,
        "user_token_id": 0,
        "torch_dtype": "float32",
        "audio_config": AUDIO,
        "vision_config": {
            **VISION,
            "model_type": "qwen2_5_omni_vision_encoder",
            "hidden_size": 64,
            "intermediate_size": 128,
            "window_size": 112,
            "out_hidden_size": 256,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 25,
            "hidden_act": "silu",
        },
        "text_config": {
            **TEXT,
            "model_type": "qwen2_5_omni_text",
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [8, 12, 12]},
            "vocab_size": size,
            "sliding_window": None,
            "max_window_layers": 2,
            "torch_dtype": "float32",
        },
    }
    write(
        folder / "preprocessor_config.json",
        {
            **PIXELS,
            **SOUND,
            "processor_class": "Qwen2_5OmniProcessor",
            "image_processor_type": "Qwen2VLImageProcessor",
        },
    )
    return {
        "architectures": ["Qwen2_5OmniModel"],
        "model_type": "qwen2_5_omni",
        "enable_audio_output": False,
        "torch_dtype": "float32",
        "thinker_config": thinker,
    }


def write_weights(kind: str, folder: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(1)
    if kind == "qwen2vl":
        model = transformers.Qwen2VLForConditionalGeneration(transformers.AutoConfig.from_pretrained(folder))
    else:
        config = transformers.AutoConfig.from_pretrained(folder).thinker_config
        model = transformers.Qwen2_5OmniThinkerForConditionalGeneration(config)
    model = model.float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 1.0 if "embed_tokens" in name else 0.15)
    if kind == "qwen2vl":
        model.save_pretrained(folder)
    else:
        # The whole model's names begin with the part's.
        from safetensors.torch import save_file

        tensors = {f"thinker.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(tensors, str(folder / "model.safetensors"), {"format": "pt"})


kind, folder, texts = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
config = {"qwen2vl": qwen2vl, "omni": omni}[kind](folder, texts)
write(folder / "config.json", config)
write_weights(kind, folder)
# Saving rewrites it.
write(folder / "config.json", config)
