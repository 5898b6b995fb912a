"""TRL trains against a simulator that `zerosearch serve` serves (after `npm run build`):

    python train-trl.py [updates, default 12]

GRPOTrainer teaches the mini world's policy on the CPU. Its rollouts send each query by itself, sixteen at a time, with question, gold
answers, step, seed and number of the search. What must hold in the end:
- all queries, asked again in another order and sixteen in a request, have the very documents that the rollouts were given: none was
  answered with another's;
- useful documents hold an answer of their own question, and hardly that of another one;
- the noise that the server drew and told grows with the step as the curriculum of the server has it;
- each update had a finite loss, and the weights moved.
"""

import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import requests
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import GRPOConfig, GRPOTrainer

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "data/mini/checkpoints/policy"
UPDATES = int(sys.argv[1]) if len(sys.argv) > 1 else 12
GROUP, BATCH = 8, 32
NOISE = (0.0, 0.8)
TURNS, TOKENS = 4, 64
ACTION = re.compile(r"<(search|answer)>((?:(?!<(?:search|answer)>).)*?)</\1>", re.S)

questions = {}
for line in (ROOT / "data/mini/mini-nq-train.jsonl").read_text().splitlines():
    row = json.loads(line)
    questions[f"Question: {row['question']}"] = row


def serve():
    """Starts the server. Returns its process and address."""
    noise = ["--noise", NOISE[0], "--noise-end", NOISE[1], "--updates", UPDATES]
    command = ["node", ROOT / "dist/cli/main.js", "serve", "--simulator", "mini", "--port", 0, *noise]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().strip()


searches = []  # What was sent, and what came.


def ask(contexts, queries):
    """Queries of one request, as other trainers' clients send them. Returns the documents of each and their quality."""
    body = {"queries": queries, "topk": 5, "return_scores": True, "contexts": contexts}
    response = requests.post(f"{url}/retrieve", json=body, timeout=120)
    response.raise_for_status()
    answer = response.json()
    texts = [[each["document"]["contents"].strip() for each in found] for found in answer["result"]]
    return list(zip(texts, answer["qualities"], strict=True))


class Row:
    """One trajectory: ids behind the prompt, which of them are the policy's, their log-probabilities."""

    def __init__(self, prompt, seed):
        self.question, self.seed = questions[prompt], seed
        self.prompt_ids = tokenizer(prompt).input_ids
        self.ids, self.mask, self.logprobs = [], [], []
        self.answer, self.searches, self.ended = None, 0, False

    def add(self, ids, logprobs=None):
        self.ids += ids
        self.mask += [int(logprobs is not None)] * len(ids)
        self.logprobs += logprobs or [0.0] * len(ids)


def generate(model, rows):
    """One message of the policy for each row."""
    inputs = tokenizer.pad({"input_ids": [row.prompt_ids + row.ids for row in rows]}, padding_side="left", return_tensors="pt")
    stops = ["</search>", "</answer>"]
    with torch.no_grad():
        made = model.generate(
            **inputs, max_new_tokens=TOKENS, do_sample=True, temperature=1.0, top_k=0, stop_strings=stops, tokenizer=tokenizer,
            return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
    ids = made.sequences[:, inputs.input_ids.shape[1] :]
    logprobs = torch.stack(made.scores, 1).float().log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    for row, new, probs in zip(rows, ids.tolist(), logprobs.tolist()):
        length = next((i + 1 for i in range(len(new)) if ACTION.search(tokenizer.decode(new[: i + 1]))), len(new))
        row.add(new[:length], probs[:length])
        yield tokenizer.decode(new[:length])


def roll_out(prompts, trainer):
    step = trainer.state.global_step
    rows = [Row(prompt, step * 100_000 + i) for i, prompt in enumerate(prompts)]
    model = trainer.accelerator.unwrap_model(trainer.model)
    for _ in range(TURNS):
        waiting = []
        playing = [row for row in rows if not row.ended]
        if not playing:
            break
        for row, text in zip(playing, generate(model, playing)):
            action = ACTION.search(text)
            row.ended = not action or action[1] == "answer"
            if action and action[1] == "answer":
                row.answer = action[2].strip()
            elif action and action[2].strip():
                waiting.append((row, action[2].strip()))
            else:
                row.ended = True
        with ThreadPoolExecutor(16) as pool:
            contexts = [
                {
                    "question": row.question["question"],
                    "gold_answers": row.question["goldAnswers"],
                    "supporting_facts": row.question["supportingFacts"],
                    **{"step": step, "seed": row.seed, "search": row.searches},
                }
                for row, _ in waiting
            ]
            found = list(pool.map(lambda context, each: ask([context], [each[1]])[0], contexts, waiting))
        for (row, query), context, (documents, quality) in zip(waiting, contexts, found):
            searches.append((context, query, documents, quality))
            row.searches += 1
            text = " ".join(f"Doc {i + 1}: {document}" for i, document in enumerate(documents))
            row.add(tokenizer(f"<information> {text}</information>").input_ids)
    return {
        "prompt_ids": [row.prompt_ids for row in rows],
        "completion_ids": [row.ids for row in rows],
        "logprobs": [row.logprobs for row in rows],
        "env_mask": [row.mask for row in rows],
        "answer": [row.answer for row in rows],
    }


def words(text):
    return re.sub(r"\b(a|an|the)\b|[^\w\s]", " ", text.lower()).split()


def holds(documents, answers):
    padded = [f" {' '.join(words(document))} " for document in documents]
    return any(f" {' '.join(words(answer))} " in document for answer in answers for document in padded)


def exact_match(prompts, answer, **_):
    golds = [questions[prompt]["goldAnswers"] for prompt in prompts]
    return [float(any(words(given or "") == words(gold) for gold in all)) for given, all in zip(answer, golds)]


def threshold(step):
    """The paper's growth of the noise, base 4."""
    x = step / (UPDATES - 1)
    return NOISE[0] + (4**x - 1) / 3 * (NOISE[1] - NOISE[0])


def check(before, model, history):
    again = random.Random(0).sample(searches, len(searches))
    for first in range(0, len(again), 16):
        asked = again[first : first + 16]
        answered = ask([context for context, *_ in asked], [query for _, query, *_ in asked])
        for (_, query, *given), same in zip(asked, answered, strict=True):
            assert tuple(given) == same, f"{query} was answered with another's documents: {given}, {same}"
    print(f"{len(searches)} searches, asked again: the same documents")

    of = {quality: [each for each in searches if each[3] == quality] for quality in ("useful", "noisy")}
    for quality, made in of.items():
        own = statistics.mean(holds(documents, context["gold_answers"]) for context, _, documents, _ in made)
        others = [made[(i + GROUP * 2) % len(made)][0]["gold_answers"] for i in range(len(made))]
        other = statistics.mean(holds(documents, golds) for (_, _, documents, _), golds in zip(made, others))
        print(f"{quality}: {len(made)} searches, {own:.3f} hold their own answer, {other:.3f} another's")
        assert (own > 0.7 and other < 0.1) if quality == "useful" else own < 0.2

    for step in range(UPDATES):
        drawn = [quality == "noisy" for context, _, _, quality in searches if context["step"] == step]
        share, wanted = statistics.mean(drawn), threshold(step)
        print(f"step {step}: {len(drawn)} searches, noise {share:.3f}, curriculum {wanted:.3f}")
        assert abs(share - wanted) <= 4 * math.sqrt(wanted * (1 - wanted) / len(drawn)) + 1e-9

    losses = [record["loss"] for record in history if "loss" in record]
    assert len(losses) == UPDATES and all(map(math.isfinite, losses)), losses
    moved = max((a - b).abs().max().item() for a, b in zip(before, model.parameters()))
    assert moved > 0
    rewards = [round(record["reward"], 3) for record in history if "reward" in record]
    print(f"{UPDATES} updates, rewards {rewards}, weights moved by at most {moved:.4f}")


if __name__ == "__main__":
    set_seed(0)
    torch.set_num_threads(1)  # More are slower for so small a model.
    tokenizer = AutoTokenizer.from_pretrained(POLICY)
    server, url = serve()
    try:
        model = AutoModelForCausalLM.from_pretrained(POLICY, dtype=torch.float32)
        before = [parameter.detach().clone() for parameter in model.parameters()]
        with tempfile.TemporaryDirectory() as folder:
            config = GRPOConfig(
                output_dir=folder, max_steps=UPDATES, per_device_train_batch_size=BATCH, num_generations=GROUP, learning_rate=4e-4,
                max_completion_length=768, beta=0.0, logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, seed=0,
                disable_tqdm=True, dataloader_pin_memory=False, gradient_checkpointing=False,
            )  # fmt: skip
            data = Dataset.from_list([{"prompt": prompt} for prompt in questions])
            trainer = GRPOTrainer(
                model=model, reward_funcs=exact_match, args=config, train_dataset=data, processing_class=tokenizer, rollout_func=roll_out
            )
            trainer.train()
        check(before, trainer.model, trainer.state.log_history)
    finally:
        server.terminate()
        server.wait(60)
