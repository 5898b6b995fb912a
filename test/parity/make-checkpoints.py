"""Makes fixtures/checkpoints/: tiny random checkpoints with the numbers that transformers computes on them.

Run: .parity/venv/bin/python test/parity/make-checkpoints.py
"""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma3TextConfig,
    GenerationConfig,
    LlamaConfig,
    Qwen2Config,
    Qwen3Config,
)

HERE = Path(__file__).parent
OUT = HERE / "fixtures" / "checkpoints"
NEW_TOKENS = 24

CORPUS = [
    "The harbour of Velm lies where the river Orra meets the sea, and ships have called there since 1204.",
    "Who designed the bridge over the river? The bridge was designed by an engineer from the northern valley.",
    "<search>capital of the island</search> <information>Doc 1: The capital is a small town.</information>",
    "The answer is <answer>the old lighthouse</answer>, which stands on the hill above the harbour.",
    "Le café où l'été commence; naïve Straße, 東京 と 大阪, Москва — dashes, “quotes” and 12,345.67 numbers.",
    "def f(x):\n    return x * 2  # doubled\n\n\tthe end of the line",
]

TEXTS = [
    "The harbour of Velm",
    " leading and trailing spaces ",
    "two  spaces\n\nand\tlines\r\n end",
    "It's the engineer's bridge, isn't it? We'LL see.",
    "1204 and 12,345.67 or 3.14159",
    "café naïve Straße",
    "Cafe\u0301 composed and decomposed: e\u0301",
    "東京 と Москва",
    "emoji 👩‍👩‍👧 and 🏳️‍🌈 joined",
    "<search>capital of France</search><information>Doc 1</information>",
    "<|im_start|>user\nhi<|im_end|>\n",
    "<|begin_of_text|>hi<|eot_id|>",
    "<tool_call>{\"a\": 1}</tool_call>",
    "zero\u200bwidth and non\u00a0breaking",
    "\u0000control\u0007",
]

PROMPTS = ["The harbour of Velm lies", "<search>bridge</search> Who", "1204 café"]

MESSAGES = [
    [{"role": "user", "content": "Who designed the bridge?"}],
    [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "  Where is Velm?\n"}],
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<answer>Hello</answer>"},
        {"role": "user", "content": "東京?"},
    ],
]

QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA_SPLIT = QWEN_SPLIT.replace(r"|\p{N}|", r"|\p{N}{1,3}|")

CHATML = (
    "{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if not (message.role == 'system' and loop.first) %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LLAMA_CHAT = (
    "{{- bos_token }}\n"
    "{%- if not date_string is defined %}\n    {%- set date_string = '26 Jul 2024' %}\n{%- endif %}\n"
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n"
    "    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = '' %}\n{%- endif %}\n"
    "{{- '<|start_header_id|>system<|end_header_id|>\\n\\nToday: ' + date_string + '\\n' + system_message + '<|eot_id|>' }}\n"
    "{%- for message in messages %}\n"
    "    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"
)


def byte_level(split, special, plain, normalizer=None, bos=None):
    """A byte-level BPE as Qwen and Llama 3 have it: 256 bytes, some merges, added tokens behind them."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in plain])
    if bos:
        tokenizer.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.token_to_id(bos))]
                ),
            ]
        )
    return tokenizer


def qwen_tokenizer():
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return byte_level(QWEN_SPLIT, special, ["<tool_call>", "</tool_call>"], normalizer=normalizers.NFC())


def llama_tokenizer():
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    return byte_level(LLAMA_SPLIT, special, [], bos="<|begin_of_text|>")


def randomise(model, seed):
    """Weights large enough that attention is far from uniform, norms away from 1, biases away from 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            # Gemma's norms add 1 to their weights.
            parameter.data = (0 if model.config.model_type.startswith("gemma") else 1) + 0.2 * noise
        elif name.endswith("bias"):
            parameter.data = 0.3 * noise
        elif "embed" in name:
            parameter.data = 0.5 * noise * (0.3 if model.config.model_type.startswith("gemma") else 1)
            # Rows that no id has must not win.
            parameter.data[305:] = 0
        else:
            parameter.data = noise * 1.5 / parameter.shape[1] ** 0.5


def write(folder, tokenizer, config, seed, dtype, tokenizer_config, eos, template_file=None, old_style=False, **saving):
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    randomise(model, seed)
    model = model.to(dtype)
    model.generation_config = GenerationConfig(eos_token_id=eos)
    model.save_pretrained(folder, **saving)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2) + "\n")
    if template_file:
        (folder / "chat_template.jinja").write_text(template_file)
    if old_style:
        path = folder / "config.json"
        saved = json.loads(path.read_text())
        saved["rope_theta"] = saved.pop("rope_parameters")["rope_theta"]
        saved["rope_scaling"] = None
        saved["torch_dtype"] = saved.pop("dtype")
        saved.pop("layer_types", None)
        path.write_text(json.dumps(saved, indent=2) + "\n")


def encoded(array):
    """float32 as base64 of little-endian bytes, with its shape."""
    array = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "base64": base64.b64encode(array.tobytes()).decode()}


@torch.no_grad()
def golden(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    assert model.dtype == torch.float32
    prompts = [tokenizer.encode(text, add_special_tokens=False) for text in PROMPTS]
    width = max(map(len, prompts))
    starts = [width - len(p) for p in prompts]
    ids = torch.tensor([[0] * start + p for start, p in zip(starts, prompts)])
    mask = torch.tensor([[0] * start + [1] * len(p) for start, p in zip(starts, prompts)])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    batch = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    rows = [model(input_ids=torch.tensor([p])).logits[0] for p in prompts]
    for row, start, single in zip(batch, starts, rows):
        assert torch.allclose(row[start:], single, atol=2e-5), (row[start:] - single).abs().max()
    eos = model.generation_config.eos_token_id
    ends = eos if isinstance(eos, list) else [eos]
    greedy = []
    for prompt in prompts:
        settings = GenerationConfig(do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=None, pad_token_id=0)
        model.generation_config = settings
        out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), generation_config=settings)
        new = out[0, len(prompt) :].tolist()
        assert len(new) == NEW_TOKENS
        logits = model(input_ids=out).logits[0, len(prompt) - 1 : -1]
        top = logits.topk(2).values
        margin = (top[:, 0] - top[:, 1]).min().item()
        # Greedy ids are only comparable where no two tokens are nearly equal and none ends the text.
        assert margin > 2e-3, f"{folder.name}: margin {margin}; take another seed"
        assert not set(new) & set(ends) and max(new) < len(tokenizer), f"{folder.name}: {new}; take another seed"
        greedy.append({"prompt": prompt, "ids": new, "margin": round(margin, 5)})
    texts = []
    for text in TEXTS:
        token_ids = tokenizer.encode(text, add_special_tokens=False)
        texts.append(
            {
                "text": text,
                "ids": token_ids,
                "decoded": tokenizer.decode(token_ids, clean_up_tokenization_spaces=False),
                "decodedSkip": tokenizer.decode(token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
                # Every prefix, so that characters cut in the middle are compared too.
                "prefixes": [tokenizer.decode(token_ids[:n], clean_up_tokenization_spaces=False) for n in range(1, len(token_ids))][:12],
            }
        )
    chats = []
    if tokenizer.chat_template:
        for messages in MESSAGES:
            prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            chats.append(
                {"messages": messages, "prompt": prompt, "ids": tokenizer.encode(prompt, add_special_tokens=False)}
            )
    return {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
        "eosIds": ends,
        "vocabulary": len(tokenizer),
        "batch": {"ids": ids.tolist(), "starts": starts, "logits": encoded(batch)},
        "rows": [{"ids": p, "logits": encoded(row)} for p, row in zip(prompts, rows)],
        "greedy": greedy,
        "texts": texts,
        "chats": chats,
    }


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    qwen, llama = qwen_tokenizer(), llama_tokenizer()
    end, im_end = qwen.token_to_id("<|endoftext|>"), qwen.token_to_id("<|im_end|>")
    qwen_config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
    }
    common = dict(num_hidden_layers=2, max_position_embeddings=512, intermediate_size=48)
    write(
        OUT / "qwen2",
        qwen,
        # More rows than ids, as in Qwen2.5.
        Qwen2Config(vocab_size=320, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
                    rope_parameters={"rope_type": "default", "rope_theta": 1e6}, eos_token_id=im_end, **common),
        seed=SEEDS["qwen2"],
        dtype=torch.float32,
        tokenizer_config={**qwen_config, "chat_template": CHATML},
        eos=[im_end, end],
    )
    write(
        OUT / "qwen2-sharded",
        qwen,
        Qwen2Config(vocab_size=305, hidden_size=32, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=False,
                    rope_parameters={"rope_type": "default", "rope_theta": 1e4}, eos_token_id=end, **common),
        seed=SEEDS["qwen2-sharded"],
        dtype=torch.bfloat16,
        # A base model: no chat template.
        tokenizer_config={**qwen_config, "eos_token": "<|endoftext|>"},
        eos=end,
        old_style=True,
        max_shard_size="30KB",
    )
    write(
        OUT / "qwen3",
        qwen,
        Qwen3Config(vocab_size=305, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=12,
                    tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
                    eos_token_id=im_end, **common),
        seed=SEEDS["qwen3"],
        dtype=torch.bfloat16,
        tokenizer_config={**qwen_config, "chat_template": CHATML},
        eos=[im_end, end],
    )
    eot, end_of_text = llama.token_to_id("<|eot_id|>"), llama.token_to_id("<|end_of_text|>")
    write(
        OUT / "llama3",
        llama,
        LlamaConfig(
            vocab_size=305, hidden_size=32, num_attention_heads=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False,
            # Small lengths, so that all three ranges of Llama 3's scaling are met.
            rope_parameters={"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
                             "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
            bos_token_id=llama.token_to_id("<|begin_of_text|>"), eos_token_id=[end_of_text, eot], **common),
        seed=SEEDS["llama3"],
        dtype=torch.float16,
        tokenizer_config={
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|begin_of_text|>",
            "eos_token": "<|eot_id|>",
            "clean_up_tokenization_spaces": False,
        },
        eos=[end_of_text, eot],
        template_file=LLAMA_CHAT,
    )
    # A window shorter than the sequences, so that it matters.
    gemma = dict(vocab_size=305, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=12,
                 tie_word_embeddings=True, sliding_window=6, query_pre_attn_scalar=10, eos_token_id=im_end, **common)
    write(
        OUT / "gemma2",
        qwen,
        Gemma2Config(attn_logit_softcapping=3.0, final_logit_softcapping=8.0, **gemma),
        seed=SEEDS["gemma2"],
        dtype=torch.float32,
        tokenizer_config={**qwen_config, "chat_template": CHATML},
        eos=[im_end, end],
    )
    write(
        OUT / "gemma3",
        qwen,
        Gemma3TextConfig(rope_parameters={"full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
                                          "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}},
                         layer_types=["sliding_attention", "full_attention"], **gemma),
        seed=SEEDS["gemma3"],
        dtype=torch.float32,
        tokenizer_config={**qwen_config, "chat_template": CHATML},
        eos=[im_end, end],
    )
    for folder in sorted(OUT.iterdir()):
        numbers = golden(folder)
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in numbers.items())
        (folder / "golden.json").write_text(f"{{\n{lines}\n}}\n")
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(folder.name, size, [g["margin"] for g in numbers["greedy"]])


# Chosen so that greedy decoding has clear winners; `golden` checks that.
SEEDS = {"qwen2": 1, "qwen2-sharded": 10, "qwen3": 3, "llama3": 4, "gemma2": 5, "gemma3": 6}

if __name__ == "__main__":
    main()
