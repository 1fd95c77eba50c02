"""Writes a LoRA adapter for the tiny model of tiny_model.py, in PEFT's format, with random weights.

Usage: tiny_lora.py MODEL-FOLDER ADAPTER-FOLDER SEED
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK = 4
ALPHA = 8


def main() -> None:
    model, folder, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    config = json.loads((model / "config.json").read_text())
    width = config["hidden_size"]
    heads = config["num_attention_heads"] * config["head_dim"]
    torch.manual_seed(seed)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for part, size in [("q_proj", (width, heads)), ("o_proj", (heads, width))]:
            name = f"base_model.model.model.layers.{layer}.self_attn.{part}"
            tensors[f"{name}.lora_A.weight"] = torch.randn(RANK, size[0]) * 0.2
            tensors[f"{name}.lora_B.weight"] = torch.randn(size[1], RANK) * 0.2
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(model),
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": ["q_proj", "o_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n")


main()
