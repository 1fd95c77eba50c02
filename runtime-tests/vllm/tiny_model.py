"""Writes a tiny model's Hugging Face folder, without weights, which vLLM generates (--load-format dummy), or with --weights
with some that are large enough for every token of a prompt to tell in the answer.

Usage: tiny_model.py [--weights] FOLDER TEXT-FILE...

The tokenizer is a byte-level BPE trained on the text files, with ChatML's control tokens.
"""

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CONTEXT = 4096
TEMPLATE = """{%- if tools %}{{- '<|im_start|>tools\\n' }}
{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- '<call>' + call.function.name + ' ' }}{{- call.function.arguments | tojson }}{{- '</call>' }}
{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--weights"]
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=8192,
        special_tokens=[AddedToken(text, special=True) for text in controls],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train(arguments[1:], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": TEMPLATE,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
        },
    )
    write(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 256,
            "intermediate_size": 512,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "hidden_act": "silu",
            "max_position_embeddings": CONTEXT,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
            "vocab_size": tokenizer.get_vocab_size(),
            "bos_token_id": None,
            "eos_token_id": controls.index("<|im_end|>"),
        },
    )


    if "--weights" in sys.argv:
        write_weights(folder)


def write_weights(folder: Path) -> None:
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    config = (folder / "config.json").read_text()
    torch.manual_seed(1)
    model = LlamaForCausalLM(AutoConfig.from_pretrained(folder)).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 1.0 if "embed_tokens" in name else 0.15)
    model.save_pretrained(folder)
    # Saving rewrites it.
    (folder / "config.json").write_text(config)


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


main()
