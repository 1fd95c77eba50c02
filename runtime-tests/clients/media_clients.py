"""Sends pictures with the Python clients of OpenAI, Anthropic and LiteLLM, and prints the answers as JSON.

The arguments are the gateway's address, the model, a file with a PNG and a URL of the same picture.
"""

import base64
import json
import sys

import anthropic
import litellm
import openai

address, model, file, link = sys.argv[1:]
with open(file, "rb") as picture:
    data = base64.b64encode(picture.read()).decode()
inline = f"data:image/png;base64,{data}"
client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
messages_client = anthropic.Anthropic(base_url=address, api_key="none", max_retries=0)


def chat(*urls):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"model": model, "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "What?"}]}]}


def streamed(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def message(*sources):
    parts = [{"type": "image", "source": source} for source in sources]
    return {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": parts}]}


def refusal(ask):
    try:
        ask()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        body = error.body if isinstance(error.body, dict) else {}
        return [error.status_code, body.get("error", body).get("message")]
    return None


source = {"type": "base64", "media_type": "image/png", "data": data}
by_url = {"type": "url", "url": link}
image = {"type": "input_image", "image_url": inline, "detail": "auto"}
with messages_client.messages.stream(**message(source)) as stream:
    streamed_message = "".join(stream.text_stream)
remote = {"api_base": f"{address}/v1", "api_key": "none", "custom_llm_provider": "openai", "num_retries": 0}

answers = {
    "several": client.chat.completions.create(**chat(inline, inline)).choices[0].message.content,
    "stream": streamed(client.chat.completions.create(**chat(inline), stream=True)),
    "fetched": client.chat.completions.create(**chat(link)).choices[0].message.content,
    "response": client.responses.create(model=model, input=[{"role": "user", "content": [image]}]).output_text,
    "message": messages_client.messages.create(**message(source, by_url)).content[0].text,
    "messageStream": streamed_message,
    "litellm": litellm.completion(**chat(inline), **remote).choices[0].message.content,
    "litellmStream": streamed(litellm.completion(**chat(inline), **remote, stream=True)),
    "refusals": [
        refusal(lambda: client.chat.completions.create(**chat("http://127.0.0.2/cat.png"))),
        refusal(lambda: client.chat.completions.create(**chat(f"data:image/png;base64,{data[8:]}"), stream=True)),
        refusal(lambda: messages_client.messages.create(**message({"type": "url", "url": "http://127.0.0.2/"}))),
    ],
}
print(json.dumps(answers))
