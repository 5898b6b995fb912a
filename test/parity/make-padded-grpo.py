"""Makes fixtures/padded-grpo.json: two GRPO steps on fixtures/checkpoints/qwen2, whose embedding has more rows than the
tokenizer has ids, as torch and transformers compute them: logits of the padding rows are set to minus infinity.

The loss is written out (make-algorithms.py compares the same formula with TRL's code); gradient and AdamW are torch's.

Run: .parity/venv/bin/python test/parity/make-padded-grpo.py
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).parent / "fixtures"
CHECKPOINT = FIXTURES / "checkpoints" / "qwen2"
PROMPT, RATE, CLIP, KL_COEF, WATCHED = 4, 1e-3, 0.2, 0.05, "model.layers.0.self_attn.q_proj.weight"


def main():
    torch.manual_seed(11)
    vocabulary = json.loads((CHECKPOINT / "golden.json").read_text())["vocabulary"]
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32, attn_implementation="eager")
    rows = model.get_input_embeddings().weight.shape[0]
    assert rows > vocabulary
    lengths = [13, 9, 11, 12]
    sequences = [torch.randint(0, vocabulary, (length,)) for length in lengths]
    rewards = torch.tensor([1.0, 0.0, 0.5, 0.0])
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-4)

    def logprobs(ids, temperature):
        logits = model(ids[None, :-1]).logits[0].float()
        logits[:, vocabulary:] = -torch.inf
        chosen = torch.log_softmax(logits / temperature, -1).gather(1, ids[1:, None]).squeeze(1)
        return chosen[PROMPT - 1 :]

    result = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "settings": {"learningRate": RATE, "clip": CLIP, "klCoef": KL_COEF},
        "prompt": PROMPT,
        "ids": [ids.tolist() for ids in sequences],
        "rewards": rewards.tolist(),
        "watched": WATCHED,
        "runs": [],
    }
    start = {name: value.clone() for name, value in model.state_dict().items()}
    for temperature in [1.0, 2.0]:
        model.load_state_dict(start)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
        with torch.no_grad():
            old = [logprobs(ids, temperature) for ids in sequences]
        reference = [values.clone() for values in old]
        steps = []
        for _ in range(2):
            new = [logprobs(ids, temperature) for ids in sequences]
            total = sum(len(values) for values in new)
            loss, kl = 0.0, 0.0
            for values, before, ref, advantage in zip(new, old, reference, advantages):
                ratio = (values - before).exp()
                objective = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
                difference = ref - values
                k3 = difference.exp() - difference - 1
                loss = loss + (KL_COEF * k3 - objective).sum() / total
                kl = kl + k3.sum().item() / total
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                old = [logprobs(ids, temperature) for ids in sequences]
            steps.append(
                {
                    "loss": loss.item(),
                    "kl": kl,
                    "gradNorm": norm.item(),
                    # On-policy: what would be sampled next has these log-probabilities.
                    "logprobs": [values.tolist() for values in old],
                    "weights": model.state_dict()[WATCHED].flatten()[:64].tolist(),
                }
            )
        model.load_state_dict(start)
        with torch.no_grad():
            first = [logprobs(ids, temperature).tolist() for ids in sequences]
        result["runs"].append({"temperature": temperature, "logprobs": first, "steps": steps})
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    (FIXTURES / "padded-grpo.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
