"""Makes fixtures/tool-chats.json: which tokens of conversations with tools TRL's SFTTrainer trains, with the tokenizer of
fixtures/checkpoints/qwen2 and the chat template of Qwen2.5 (trl/chat_templates/qwen2_5.jinja, which the file has as well; for the
mask TRL's own qwen2_5_training.jinja).

Run: .parity/venv/bin/python test/parity/make-tool-chats.py
"""

import importlib
import json
from pathlib import Path

import transformers
import trl
from transformers import AutoTokenizer

chats = importlib.import_module("make-chats")
TEMPLATES = Path(trl.__file__).parent / "chat_templates"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Finds documents.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        },
    }
]


def call(query):
    return {"type": "function", "function": {"name": "search", "arguments": {"query": query}}}


def says(role, content, *calls):
    return {"role": role, "content": content, **({"tool_calls": list(calls)} if calls else {})}


CONVERSATIONS = [
    [
        says("user", "Where is Lima?"),
        says("assistant", "", call("Lima")),
        says("tool", "Lima is the capital of Peru."),
        says("assistant", "In Peru."),
    ],
    [
        says("system", "Be short."),
        says("user", "Lima and Oslo?"),
        says("assistant", "I look both up.", call("Lima"), call("Oslo")),
        says("tool", "Lima: Peru"),
        says("tool", "Oslo: Norway"),
        says("assistant", "Peru, Norway."),
        says("user", "Thanks!"),
        says("assistant", "You're welcome."),
    ],
]


def main():
    checkpoint = chats.FIXTURES / "checkpoints" / "qwen2"
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    template = (TEMPLATES / "qwen2_5.jinja").read_text()
    tokenizer.chat_template = (TEMPLATES / "qwen2_5_training.jinja").read_text()
    rows = [{"messages": messages, "tools": json.dumps(TOOLS)} for messages in CONVERSATIONS]
    cases = chats.trained(checkpoint, tokenizer, rows, assistant_only_loss=True)
    for case in cases:
        shown = tokenizer.apply_chat_template(case["messages"], chat_template=template, tools=TOOLS, tokenize=False)
        assert tokenizer.decode(case["ids"]) == shown, (tokenizer.decode(case["ids"]), shown)
    versions = {"trl": trl.__version__, "transformers": transformers.__version__}
    text = json.dumps({"versions": versions, "template": template, "cases": cases}, separators=(",", ":"))
    (chats.FIXTURES / "tool-chats.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
