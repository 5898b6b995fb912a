"""The other side of the benchmark: torch, transformers and TRL, all cores, the same checkpoints.

Usage: python measure_torch.py KIND FOLDER JSON   -> one JSON line
"""

import json
import os
import statistics
import sys
import time

import torch
from transformers import AutoModelForCausalLM

kind, folder, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
batch, length = options.get("batch", 1), options.get("time", 128)
tokens, repeats = options.get("tokens", 128), options.get("repeats", 5)
torch.set_num_threads(os.cpu_count())
torch.manual_seed(0)


def ids(count, seed):
    return [10 + ((i * 7919 + seed * 104_729) % 2000) for i in range(count)]


def report(times):
    print(json.dumps({"ms": statistics.median(times[1:]) * 1000, "firstMs": times[0] * 1000}))


model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

if kind == "train":
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0)
    inputs = torch.tensor([ids(length, i) for i in range(batch)])
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(options.get("bfloat16"))):
            loss = model(input_ids=inputs, labels=inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - started)
    report(times)

if kind == "decode":
    model.eval()
    inputs = torch.tensor([ids(length, i) for i in range(batch)])
    mask = torch.ones_like(inputs)
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                input_ids=inputs, attention_mask=mask, do_sample=True, top_k=0, max_new_tokens=tokens, min_new_tokens=tokens, pad_token_id=0
            )
        times.append(time.perf_counter() - started)
    report(times)

if kind == "grpo":
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "left"
    prompts = [tokenizer.decode(ids(length, i)) for i in range(batch // 5)]
    times, started = [], [time.perf_counter()]

    class Clock(TrainerCallback):
        def on_step_end(self, *_, **__):
            times.append(time.perf_counter() - started[0])
            started[0] = time.perf_counter()

    config = GRPOConfig(
        output_dir=os.path.join(folder, "trl"),
        per_device_train_batch_size=batch,
        num_generations=5,
        max_completion_length=tokens,
        max_steps=repeats + 1,
        beta=0.001,
        learning_rate=1e-6,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        logging_strategy="no",
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=lambda completions, **_: [float(i % 5) for i in range(len(completions))],
        args=config,
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        callbacks=[Clock()],
    )
    started[0] = time.perf_counter()
    trainer.train()
    report(times)
