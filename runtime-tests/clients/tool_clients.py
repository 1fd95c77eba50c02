"""Calls a tool with clients in Python, and prints what each got as JSON."""

import json
import sys

import anthropic
import litellm
import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

url, model = sys.argv[1:]
base = f"{url}/v1"
question = "How is the weather in Paris?"
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
function = {"name": "get_weather", "description": "The weather", "parameters": schema}
tools = [{"type": "function", "function": function}]


def chat_loop(create):
    """A call and its result, with a function that completes chats."""
    messages = [{"role": "user", "content": question}]
    first = create(messages).choices[0]
    assert first.finish_reason == "tool_calls", first
    [call] = first.message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    asked = {"role": "assistant", "content": first.message.content, "tool_calls": [call.model_dump()]}
    second = create([*messages, asked, result]).choices[0]
    return {"arguments": json.loads(call.function.arguments), "answer": second.message.content}


def openai_chat():
    client = openai.OpenAI(base_url=base, api_key="none", max_retries=0)
    return chat_loop(lambda messages: client.chat.completions.create(model=model, messages=messages, tools=tools))


def openai_streamed():
    client = openai.OpenAI(base_url=base, api_key="none", max_retries=0)

    def create(messages):
        with client.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
            return stream.get_final_completion()

    return chat_loop(create)


def openai_responses():
    client = openai.OpenAI(base_url=base, api_key="none", max_retries=0)
    same = {"model": model, "tools": [{"type": "function", **function, "strict": False}]}
    with client.responses.stream(input=question, **same) as stream:
        first = stream.get_final_response()
    [call] = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = client.responses.create(input=[result], previous_response_id=first.id, **same)
    return {"arguments": json.loads(call.arguments), "answer": second.output_text}


def anthropic_messages():
    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    own = {"name": "get_weather", "description": "The weather", "input_schema": schema}
    same = {"model": model, "max_tokens": 500, "tools": [own]}
    messages = [{"role": "user", "content": question}]
    with client.messages.stream(messages=messages, **same) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use", first
    [call] = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(messages=messages, **same)
    return {"arguments": call.input, "answer": second.content[-1].text}


def litellm_chat():
    return chat_loop(
        lambda messages: litellm.completion(
            model=f"openai/{model}", messages=messages, tools=tools, api_base=base, api_key="none"
        )
    )


def langchain():
    bound = ChatOpenAI(model=model, base_url=base, api_key="none", max_retries=0).bind_tools(tools)
    messages = [HumanMessage(question)]
    first = bound.invoke(messages)
    [call] = first.tool_calls
    second = bound.invoke([*messages, first, ToolMessage("sunny", tool_call_id=call["id"])])
    return {"arguments": call["args"], "answer": second.content}


def llama_index():
    llm = OpenAILike(
        model=model, api_base=base, api_key="none", max_retries=0, is_chat_model=True, is_function_calling_model=True
    )

    def get_weather(city: str) -> str:
        """The weather"""
        return "sunny"

    tool = FunctionTool.from_defaults(get_weather)
    history = [ChatMessage(role="user", content=question)]
    first = llm.chat_with_tools([tool], chat_history=history)
    [call] = llm.get_tool_calls_from_response(first)
    result = ChatMessage(role="tool", content="sunny", additional_kwargs={"tool_call_id": call.tool_id})
    second = llm.chat_with_tools([tool], chat_history=[*history, first.message, result])
    return {"arguments": call.tool_kwargs, "answer": second.message.content}


clients = [openai_chat, openai_streamed, openai_responses, anthropic_messages, litellm_chat, langchain, llama_index]
print(json.dumps({client.__name__: client() for client in clients}))
