"""Hugging Face folders of tiny Llama models, for a real vLLM."""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def train_tokenizer(text_files: list[str], controls: list[str], pieces: list[str] = []) -> Tokenizer:
    """A byte-level BPE, with control tokens, which come first, and tokens of given texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8192,
        special_tokens=[AddedToken(text, special=True) for text in controls],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train(text_files, trainer)
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in pieces])
    return tokenizer


def write_folder(folder: Path, tokenizer: Tokenizer, template: str, context: int, sizes: dict) -> None:
    """Everything but the weights. `sizes` are fields of a Llama model's configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": template,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False,
            "model_max_length": context,
        },
    )
    write(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            **sizes,
            "hidden_act": "silu",
            "max_position_embeddings": context,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
            "vocab_size": tokenizer.get_vocab_size(),
            "bos_token_id": None,
            "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        },
    )


def write_weights(folder: Path, fill) -> None:
    """The weights, as `fill(name, parameter)` leaves each."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    config = (folder / "config.json").read_text()
    torch.manual_seed(1)
    model = LlamaForCausalLM(AutoConfig.from_pretrained(folder)).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fill(name, parameter)
    model.save_pretrained(folder)
    # Saving rewrites it.
    (folder / "config.json").write_text(config)


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
