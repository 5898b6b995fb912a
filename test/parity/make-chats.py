"""Makes fixtures/chats.json and chats.parquet (its first conversations): which tokens of a conversation TRL's SFTTrainer trains, with the tokenizers of
fixtures/checkpoints: ChatML (qwen2), Llama 3 (llama3), a base model without a chat template (qwen2-sharded).

TRL needs {% generation %} around what the assistant says. It is put into the fixtures' templates as TRL's own training
templates have it (trl/chat_templates, qwen2_5_training.jinja and llama3_training.jinja): around content and end token, and for
ChatML the line break behind it.

Run: .parity/venv/bin/python test/parity/make-chats.py
"""

import json
import tempfile
from pathlib import Path

import transformers
import trl
from datasets import Dataset
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

FIXTURES = Path(__file__).parent / "fixtures"
PLACES = {
    "qwen2": (
        "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}",
        "{%- if message.role == 'assistant' %}{{- '<|im_start|>assistant\\n' }}{%- generation %}"
        "{{- message.content + '<|im_end|>' + '\\n' }}{%- endgeneration %}{%- else %}"
        "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}{%- endif %}",
    ),
    "llama3": (
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}",
        "{%- if message['role'] == 'assistant' %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
        "{%- generation %}{{- message['content'] | trim + '<|eot_id|>' }}{%- endgeneration %}{%- else %}"
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}"
        "{%- endif %}",
    ),
}


def say(role, content):
    return {"role": role, "content": content}


MESSAGES = [
    [say("user", "Where is Lima?"), say("assistant", "In Peru.")],
    [say("system", "Be short."), say("user", "Two words?"), say("assistant", "Yes, two.")],
    [
        say("user", "One?"),
        say("assistant", "1"),
        say("user", "  And two?\n\n"),
        say("assistant", "It is 2.\nThat's all — naïve, 東京 🙂."),
        say("user", "Three?"),
        say("assistant", "3"),
    ],
    [say("user", "Go on."), say("assistant", ""), say("user", "On?"), say("assistant", "<think>\nhm\n</think>\n\nOn.")],
    [say("user", "One?"), say("assistant", "1"), say("user", "Is it unanswered?")],
]
PROMPTS = [
    {"prompt": [say("user", "Where is Lima?")], "completion": [say("assistant", "In Peru.")]},
    {
        "prompt": [say("user", "One?"), say("assistant", "1"), say("user", "Two?")],
        "completion": [say("assistant", "It's 2.")],
    },
]
TEXTS = [
    {"prompt": "Question: Where is Lima?\nAnswer:", "completion": " In Peru."},
    {"prompt": "The capital of Japan is", "completion": " Tokyo, 東京.\n\nIt is large."},
]


def trained(checkpoint, tokenizer, rows, **settings):
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(output_dir=folder, use_cpu=True, bf16=False, report_to=[], max_length=None, **settings)
        trainer = SFTTrainer(
            model=str(checkpoint), args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
        )
        return [
            {**row, "ids": list(made["input_ids"]), "lossMask": [int(label != -100) for label in made["labels"]]}
            for row, made in zip(rows, trainer.train_dataset)
        ]


def main():
    result = {"versions": {"trl": trl.__version__, "transformers": transformers.__version__}}
    for name in ("qwen2", "llama3", "qwen2-sharded"):
        checkpoint = FIXTURES / "checkpoints" / name
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        cases = []
        if name in PLACES:
            plain = tokenizer.chat_template
            before, after = PLACES[name]
            assert before in plain, name
            tokenizer.chat_template = plain.replace(before, after)
            for messages in MESSAGES:
                one, other = (
                    tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
                    for template in (plain, tokenizer.chat_template)
                )
                assert one == other, (one, other)
            rows = [{"messages": messages} for messages in MESSAGES]
            cases += trained(checkpoint, tokenizer, rows, assistant_only_loss=True)
            cases += trained(checkpoint, tokenizer, PROMPTS)
        cases += trained(checkpoint, tokenizer, TEXTS)
        result[name] = cases
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    (FIXTURES / "chats.json").write_text(text + "\n", encoding="utf-8")
    Dataset.from_list([{"messages": messages} for messages in MESSAGES]).to_parquet(FIXTURES / "chats.parquet")


if __name__ == "__main__":
    main()
