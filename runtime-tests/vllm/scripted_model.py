"""Writes the Hugging Face folder of a model that plays a script: it calls the first tool that it knows, and answers once it
has a result. Its chat template ends with a control token that names the scene, by which the model finds its place.

Usage: scripted_model.py FOLDER TEXT-FILE...
"""

import math
import sys
from pathlib import Path

from model_folder import CONTROLS, train_tokenizer, write_folder, write_weights


def call(name: str, arguments: list[str]) -> list[str]:
    start = f'\n{{"name": "{name}", "arguments": '
    return ["Let me", f" use {name}.\n", "<tool_call>", start, *arguments, "</tool_call>"]


# Each text is one token. The one after it depends on it and on the scene, so no scene has it twice.
SCENES = {
    "get_weather": ["I must", " look.", *call("get_weather", ['{"city": ', '"Paris"}}\n'])],
    "Bash": [
        *("I must", " run it."),
        *call("Bash", ['{"command": "echo hello > out.txt", ', '"description": "Writes a file"}}\n']),
    ],
    "exec_command": ["I must", " run that.", *call("exec_command", ['{"cmd": "echo hello ', '> out.txt"}}\n'])],
    "result": ["Good", ".", "The tool", " said:", " sunny"],
    "greeting": ["Hm", "…", "Hel", "lo."],
}
SCENES = {scene: ["<think>", *script[:2], "</think>", *script[2:]] for scene, script in SCENES.items()}

TEMPLATE = """{%- set scene = namespace(name='greeting') %}
{%- if tools %}{{- '<|im_start|>tools\\n' }}
{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}
{%- if tool.function.name in ('get_weather', 'Bash', 'exec_command') %}{% set scene.name = tool.function.name %}{% endif %}
{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'tool' %}{% set scene.name = 'result' %}{% endif %}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- '<call>' + call.function.name + ' ' }}{{- call.function.arguments | tojson }}{{- '</call>' }}
{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<|' + scene.name + '|>' }}{%- endif %}"""

HIDDEN = 128
HEAD = 64
SIZES = {
    "hidden_size": HIDDEN,
    "intermediate_size": HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": HEAD,
}

folder = Path(sys.argv[1])
marks = [f"<|{scene}|>" for scene in SCENES]
pieces = list(dict.fromkeys(piece for script in SCENES.values() for piece in script))
tokenizer = train_tokenizer(sys.argv[2:], [*CONTROLS, *marks], pieces)
write_folder(folder, tokenizer, TEMPLATE, 131_072, SIZES)

# Dimensions: one for each token of the script, one for each scene, and one that all of these tokens have.
own = {tokenizer.token_to_id(text): index for index, text in enumerate([*marks, *pieces])}
scenes = {scene: len(own) + index for index, scene in enumerate(SCENES)}
ALL = len(own) + len(scenes)
assert ALL < HIDDEN
# Of the dimensions that RoPE turns, those that turn so slowly that a few tokens of distance are none.
SLOWEST = HEAD // 2 - 1
# After normalisation, an embedding's two dimensions have this value.
NORM = math.sqrt(HIDDEN / 2)


def fill(name, parameter) -> None:
    """Attention finds the scene, and the output layer adds what the last token and the scene say of the next one."""
    if "norm" in name:
        return
    parameter.zero_()
    if "embed_tokens" in name:
        for token, index in own.items():
            parameter[token, index] = parameter[token, ALL] = 1
    elif "q_proj" in name:
        parameter[SLOWEST, ALL] = 1
    elif "k_proj" in name:
        for mark in marks:
            # More than all tokens of a long prompt together: exp(40) is.
            parameter[SLOWEST, own[tokenizer.token_to_id(mark)]] = 40 * math.sqrt(HEAD) / NORM**2
    elif "v_proj" in name:
        for index, mark in enumerate(marks):
            parameter[index, own[tokenizer.token_to_id(mark)]] = 1 / NORM
    elif "o_proj" in name:
        for index, dimension in enumerate(scenes.values()):
            parameter[dimension, index] = 1
    elif "lm_head" in name:
        for (scene, script), mark in zip(SCENES.items(), marks):
            ids = [tokenizer.token_to_id(text) for text in (mark, *script, "<|im_end|>")]
            for token, successor in zip(ids, ids[1:]):
                parameter[successor, own[token]] = 50
                parameter[successor, scenes[scene]] = 30


write_weights(folder, fill)
