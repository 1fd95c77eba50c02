"""Writes a tiny model's Hugging Face folder.

Usage: tiny_model.py FOLDER TEXT-FILE...

The tokenizer is a byte-level BPE trained on the text files, with ChatML's control tokens. The weights are random, but large
enough for every token of a prompt to tell in the answer: those of vLLM's --load-format dummy answer all prompts alike.
"""

import sys
from pathlib import Path

from model_folder import CONTROLS, train_tokenizer, write_folder, write_weights

TEMPLATE = """{%- if tools %}{{- '<|im_start|>tools\\n' }}
{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- '<call>' + call.function.name + ' ' }}{{- call.function.arguments | tojson }}{{- '</call>' }}
{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}


def fill(name, parameter) -> None:
    if parameter.dim() > 1:
        parameter.normal_(0, 1.0 if "embed_tokens" in name else 0.15)


folder = Path(sys.argv[1])
write_folder(folder, train_tokenizer(sys.argv[2:], CONTROLS), TEMPLATE, 4096, SIZES)
write_weights(folder, fill)
