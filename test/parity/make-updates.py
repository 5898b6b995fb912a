"""Makes fixtures/updates.json: two updates of each algorithm on fixtures/checkpoints/qwen2, computed with torch alone.

Everything between the model's logits and AdamW is written out here from the papers' equations, independently of the project's
code and of verl and TRL (make-algorithms.py has those). Each update goes through its batch twice, so that ratios are not 1.

Run: .parity/venv/bin/python test/parity/make-updates.py
"""

import copy
import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).parent / "fixtures"
CHECKPOINT = FIXTURES / "checkpoints" / "qwen2"
EPOCHS, RATE, CRITIC_RATE, KL_COEF = 2, 1e-3, 2e-3, 0.05
GROUPS = [3, 2, 1]
REWARDS = [[1.0, 0.0, 0.3, 0.4, 0.9, 0.7], [0.2, 0.8, 0.0, 1.0, 0.1, 0.5]]
LENGTHS = [13, 9, 11, 12, 10, 14]
PROMPT = 4
# An observation, whose tokens are not trained; one sequence ends with it.
OBSERVATIONS = {0: (7, 10), 3: (9, 12), 5: (6, 8)}

CASES = {
    "grpo": {"clip": 0.2, "kl": "k3", "in": "loss", "mean": "token"},
    "dr-grpo": {"clip": 0.2, "kl": None, "in": "loss", "mean": "constant", "lossDivisor": 8},
    "dapo": {"clip": 0.2, "clipHigh": 0.28, "kl": None, "in": "loss", "mean": "token"},
    "gspo": {"clip": 3e-4, "clipHigh": 4e-4, "kl": None, "in": "loss", "mean": "sequence"},
    "rloo": {"clip": 0.2, "kl": "k1", "in": "reward", "mean": "token"},
    "reinforce": {"clip": 0.2, "kl": "k3", "in": "loss", "mean": "token"},
    "reinforce++": {"clip": 0.2, "kl": "k1", "in": "reward", "mean": "token", "gamma": 0.9},
    "reinforce++-baseline": {"clip": 0.2, "kl": "k2", "in": "loss", "mean": "token"},
    "ppo": {"clip": 0.2, "kl": "k1", "in": "reward", "mean": "token", "gamma": 0.95, "lambda": 0.9, "shared": False},
    "ppo, shared": {"clip": 0.2, "kl": "k1", "in": "reward", "mean": "token", "gamma": 1.0, "lambda": 0.9, "shared": True},
}
VALUE_CLIP, VALUE_COEF = 0.5, 0.1


def kl_of(name, logprob, ref):
    d = ref - logprob
    # A token's k3 is at most 10, as in verl: the batches here have some beyond it.
    return {"k1": -d, "k2": d * d / 2, "k3": (d.exp() - d - 1).clamp(max=10)}[name]


def group_mean(values):
    out, start = [], 0
    for size in GROUPS:
        out += [values[start : start + size].mean()] * size
        start += size
    return torch.stack(out)


def advantages_of(algorithm, case, rewards, kl, values):
    """A list of rows; `kl` is that of the reward."""
    rows = []
    for reward, divergence in zip(rewards, kl):
        row = -KL_COEF * divergence if case["in"] == "reward" else torch.zeros_like(divergence)
        row = row.clone()
        row[-1] += reward
        rows.append(row)
    whole = torch.stack([row.sum() for row in rows])
    single = torch.tensor([size == 1 for size in GROUPS for _ in range(size)])
    counts = torch.tensor([float(size) for size in GROUPS for _ in range(size)])
    spread = lambda flat: [flat[i].expand_as(row) for i, row in enumerate(rows)]

    def whiten(lists):
        flat = torch.cat(lists)
        return [(x - flat.mean()) / torch.sqrt(flat.var() + 1e-8) for x in lists]

    if algorithm in ("grpo", "dapo", "gspo"):
        centred = whole - group_mean(whole)
        deviation, start = [], 0
        for size in GROUPS:
            deviation += [whole[start : start + size].std() if size > 1 else torch.tensor(1.0)] * size
            start += size
        scaled = centred / (torch.stack(deviation) + 1e-4)
        return spread(torch.where(single, 0.0, scaled)), None
    if algorithm == "dr-grpo":
        return spread(torch.where(single, 0.0, whole - group_mean(whole))), None
    if algorithm == "rloo":
        others = (group_mean(whole) * counts - whole) / (counts - 1).clamp(min=1)
        return spread(torch.where(single, 0.0, whole - others)), None
    if algorithm == "reinforce":
        return spread(whole), None
    if algorithm == "reinforce++-baseline":
        return whiten(spread(torch.where(single, whole, whole - group_mean(whole)))), None
    gamma = case["gamma"]
    if algorithm == "reinforce++":
        returns = []
        for row in rows:
            running, out = 0.0, []
            for value in reversed(row):
                running = value + gamma * running
                out.append(running)
            returns.append(torch.stack(out[::-1]))
        return whiten(returns), None
    raw, returns = [], []
    for row, value in zip(rows, values):
        after, next_value, out = 0.0, 0.0, []
        for t in reversed(range(len(row))):
            after = row[t] + gamma * next_value - value[t] + gamma * case["lambda"] * after
            next_value = value[t]
            out.append(after)
        raw.append(torch.stack(out[::-1]))
        returns.append(raw[-1] + value)
    return whiten(raw), returns


def main():
    torch.manual_seed(5)
    vocabulary = json.loads((CHECKPOINT / "golden.json").read_text())["vocabulary"]
    start = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32, attn_implementation="eager")
    sequences = [torch.randint(0, vocabulary, (length,)) for length in LENGTHS]
    masks = []
    for i, ids in enumerate(sequences):
        mask = torch.ones(len(ids), dtype=torch.bool)
        mask[:PROMPT] = False
        if i in OBSERVATIONS:
            mask[slice(*OBSERVATIONS[i])] = False
        masks.append(mask)

    def run(model, ids, mask, head=None):
        """Log-probabilities of the policy's tokens, and what the head says before each."""
        out = model(ids[None, :-1], output_hidden_states=True)
        logits = out.logits[0].float()
        logits = torch.cat([logits[:, :vocabulary], torch.full_like(logits[:, vocabulary:], -torch.inf)], 1)
        logprobs = torch.log_softmax(logits, -1).gather(1, ids[1:, None]).squeeze(1)[mask[1:]]
        # transformers gives the last hidden state after the final norm.
        values = None if head is None else (out.hidden_states[-1][0] @ head).squeeze(1)[mask[1:]]
        return logprobs, values

    def all_of(model, head=None):
        with torch.no_grad():
            found = [run(model, ids, mask, head) for ids, mask in zip(sequences, masks)]
        return [logprobs for logprobs, _ in found], [values for _, values in found]

    results = []
    for name, case in CASES.items():
        algorithm = name.split(",")[0]
        policy, reference = copy.deepcopy(start), copy.deepcopy(start)
        head = torch.zeros(start.config.hidden_size, 1, requires_grad=True) if algorithm == "ppo" else None
        shared = case.get("shared", False)
        critic = copy.deepcopy(start) if algorithm == "ppo" and not shared else policy
        own = list(policy.parameters()) + ([head] if shared else [])
        optimizer = torch.optim.AdamW(own, lr=RATE, weight_decay=0.0)
        critic_own = [*critic.parameters(), head] if algorithm == "ppo" and not shared else []
        critic_optimizer = torch.optim.AdamW(critic_own, lr=CRITIC_RATE, weight_decay=0.0) if critic_own else None
        updates = []
        for number, rewards in enumerate(REWARDS):
            old, _ = all_of(policy)
            ref, _ = all_of(reference)
            _, values = all_of(critic, head) if head is not None else (None, None)
            kl = [kl_of(case["kl"] or "k3", a, b) for a, b in zip(old, ref)]
            if number == 0:
                kl = [torch.zeros_like(row) for row in kl]
            advantages, returns = advantages_of(algorithm, case, torch.tensor(rewards), kl, values)
            kept = range(len(sequences))
            if algorithm == "dapo":
                # The group of one has equal rewards.
                kept = range(sum(GROUPS[:2]))
            tokens = sum(len(old[i]) for i in kept)
            low, high = 1 - case["clip"], 1 + case.get("clipHigh", case["clip"])
            for _ in range(EPOCHS):
                loss, value_loss = 0.0, 0.0
                for i in kept:
                    logprobs, shared_values = run(policy, sequences[i], masks[i], head if shared else None)
                    change = logprobs - old[i]
                    ratio = (change.mean() if algorithm == "gspo" else change).exp().expand_as(change)
                    gain = torch.minimum(ratio * advantages[i], ratio.clamp(low, high) * advantages[i])
                    loss_row = -gain
                    if case["kl"] and case["in"] == "loss":
                        loss_row = loss_row + KL_COEF * kl_of(case["kl"], logprobs, ref[i])
                    share = {
                        "token": 1 / tokens,
                        "sequence": 1 / (len(kept) * len(change)),
                        "constant": 1 / (len(kept) * case.get("lossDivisor", 1)),
                    }[case["mean"]]
                    loss = loss + share * loss_row.sum()
                    if head is not None:
                        said = shared_values if shared else run(critic, sequences[i], masks[i], head)[1]
                        near = said.clamp(values[i] - VALUE_CLIP, values[i] + VALUE_CLIP)
                        errors = torch.maximum((said - returns[i]) ** 2, (near - returns[i]) ** 2)
                        value_loss = value_loss + 0.5 * errors.sum() / tokens
                optimizer.zero_grad()
                (loss + VALUE_COEF * value_loss if shared else loss).backward()
                torch.nn.utils.clip_grad_norm_(own, 1.0)
                optimizer.step()
                if critic_optimizer:
                    critic_optimizer.zero_grad()
                    value_loss.backward()
                    torch.nn.utils.clip_grad_norm_(critic_own, 1.0)
                    critic_optimizer.step()
            state = {**policy.state_dict(), **({"value_head": head.detach()} if head is not None else {})}
            updates.append(
                {
                    # What the sampler says, and the critic, before the update.
                    "logprobs": [row.tolist() for row in old],
                    "values": [row.tolist() for row in values] if values else None,
                    "advantages": [row.tolist() for row in advantages],
                    "weights": {key: thinned(value) for key, value in state.items() if key != "lm_head.weight"},
                }
            )
        settings = {key: value for key, value in case.items() if key in ("clip", "clipHigh", "lossDivisor", "gamma", "lambda")}
        results.append({"name": name, "algorithm": algorithm, "shared": shared, "settings": settings, "updates": updates})
    golden = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "settings": {"epochs": EPOCHS, "learningRate": RATE, "criticLearningRate": CRITIC_RATE, "klCoef": KL_COEF},
        "stride": STRIDE,
        "groups": GROUPS,
        "rewards": REWARDS,
        "ids": [ids.tolist() for ids in sequences],
        "masks": [mask.int().tolist() for mask in masks],
        "runs": results,
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(rounded(value))}" for key, value in golden.items())
    (FIXTURES / "updates.json").write_text(f"{{\n{lines}\n}}\n")


STRIDE = 37


def thinned(tensor):
    """Every so many values, which is enough to see each row and column now and then."""
    return tensor.flatten()[::STRIDE].tolist()


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
