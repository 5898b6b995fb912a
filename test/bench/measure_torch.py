"""The other side of the benchmark: torch, transformers and TRL, all cores, the same checkpoints.

Usage: python measure_torch.py KIND FOLDER JSON   -> one JSON line
"""

import json
import os
import pathlib
import resource
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


def report(times, learning=None):
    result = {"ms": statistics.median(times[1:]) * 1000, "firstMs": times[0] * 1000}
    if learning:
        result["learnMs"] = statistics.median(learning[1:]) * 1000
    # Linux counts it in KiB.
    result["peakBytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


if kind == "ppo":
    # The last release that has PPO; TRL 1.13 removed it.
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / ".parity" / "trl-1.12.0"))

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

if kind in ("grpo", "ppo"):
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "left"
    epochs, minibatches = options.get("epochs", 1), options.get("minibatches", 1)
    times, learning, started, sampling = [], [], [time.perf_counter()], [0.0]

    def clocked(function):
        """What sampling takes is not learning."""

        def call(*arguments, **named):
            began = time.perf_counter()
            result = function(*arguments, **named)
            sampling[0] += time.perf_counter() - began
            return result

        return call

    class Clock(TrainerCallback):
        """A time for each update, which has so many steps of the trainer."""

        def __init__(self, steps):
            self.steps = steps

        def on_step_end(self, _args, state, *_, **__):
            if state.global_step % self.steps != 0:
                return
            times.append(time.perf_counter() - started[0])
            learning.append(times[-1] - sampling[0])
            started[0], sampling[0] = time.perf_counter(), 0.0

    common = dict(
        output_dir=os.path.join(folder, "trl"),
        learning_rate=1e-6,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )

if kind == "grpo":
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(
        **common,
        per_device_train_batch_size=batch // minibatches,
        steps_per_generation=minibatches,
        num_iterations=epochs,
        num_generations=5,
        max_completion_length=tokens,
        max_steps=(repeats + 1) * epochs * minibatches,
        beta=0.001,
        logging_strategy="no",
    )
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=lambda completions, **_: [float(i % 5) for i in range(len(completions))],
        args=config,
        train_dataset=Dataset.from_dict({"prompt": [tokenizer.decode(ids(length, i)) for i in range(batch // 5)]}),
        callbacks=[Clock(epochs * minibatches)],
    )
    trainer._generate_single_turn = clocked(trainer._generate_single_turn)
    started[0] = time.perf_counter()
    trainer.train()
    report(times, learning)

if kind == "ppo":
    from transformers import AutoModelForSequenceClassification
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

    class FirstId(torch.nn.Module):
        """A reward that costs nothing, in the form that the trainer asks for: a backbone and a score."""

        base_model_prefix = "backbone"

        def backbone(self, input_ids, **_):
            return type("Output", (), {"hidden_states": [input_ids.unsqueeze(-1)]})

        def score(self, hidden):
            return (hidden % 5).float()

    config = PPOConfig(
        **common,
        per_device_train_batch_size=batch,
        num_mini_batches=minibatches,
        num_ppo_epochs=epochs,
        local_rollout_forward_batch_size=batch,
        total_episodes=(repeats + 1) * batch,
        response_length=tokens,
        num_sample_generations=0,
        kl_coef=0.001,
    )
    ppo_trainer.batch_generation = clocked(ppo_trainer.batch_generation)
    prompts = Dataset.from_dict({"input_ids": [ids(length, i // 5) for i in range(batch)]})
    trainer = PPOTrainer(
        args=config,
        processing_class=tokenizer,
        model=model,
        ref_model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
        reward_model=FirstId(),
        value_model=AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, num_labels=1),
        train_dataset=prompts,
        eval_dataset=prompts.select(range(1)),
        callbacks=[Clock(1)],
    )
    started[0] = time.perf_counter()
    trainer.train()
    report(times, learning)
