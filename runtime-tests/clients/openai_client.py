"""Sends requests to a gateway with OpenAI's client and prints the results as JSON."""

import json
import sys

import openai

url, model = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
question = [{"role": "user", "content": "Count from one to five."}]
same = {"model": model, "temperature": 0, "max_tokens": 24}

whole = client.chat.completions.create(messages=question, **same)
parts = []
usage = None
options = {"include_usage": True}
for chunk in client.chat.completions.create(messages=question, stream=True, stream_options=options, **same):
    usage = chunk.usage or usage
    parts += [choice.delta.content or "" for choice in chunk.choices]
completion = client.completions.create(prompt="Once upon a time", **same)
response = client.responses.create(model=model, input="Say hello.", max_output_tokens=8)
try:
    client.chat.completions.create(messages=question, **{**same, "model": "no-such-model"})
    refusal = None
except openai.NotFoundError as error:
    refusal = {"status": error.status_code, "code": error.code, "message": error.message}

print(
    json.dumps(
        {
            "models": [each.id for each in client.models.list()],
            "whole": whole.choices[0].message.content,
            "parts": parts,
            "usage": usage.completion_tokens,
            "completion": completion.choices[0].text,
            "response": response.output_text,
            "refusal": refusal,
        }
    )
)
