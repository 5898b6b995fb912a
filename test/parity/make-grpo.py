"""Makes fixtures/grpo.json: GRPO's losses and gradients as TRL computes them, on small random log-probabilities.

Losses, gradients, mean KL and clip fractions come from TRL's own code: `GRPOTrainer._compute_loss` runs with the
log-probabilities given to it in place of a model's. The estimators k1, k2 and k3 and the advantages stand inside of
longer methods there (trl/trainer/grpo_trainer.py: `_compute_loss`, `_generate_and_score_completions`; Schulman,
"Approximating KL divergence", for k1 and k2), so they are written out here; k3 is checked against TRL's mean KL.

Run: .parity/venv/bin/python test/parity/make-grpo.py
"""

import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import torch
import trl
from trl import GRPOTrainer

OUT = Path(__file__).parent / "fixtures" / "grpo.json"
ROWS, TIME, GROUP = 6, 7, 3


def trl_loss(case, loss_type, clip, beta):
    """Loss, gradient with respect to the log-probabilities, and metrics, by TRL's code. `bnpo` is the mean over all
    tokens of the batch, `grpo` the mean over trajectories of each one's token mean."""
    logprobs = case["logprobs"].clone().requires_grad_()
    metrics = {"eval": defaultdict(list)}
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (logprobs, torch.zeros_like(logprobs), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=beta,
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None),
        loss_type=loss_type,
        epsilon_low=clip,
        epsilon_high=clip,
        use_vllm=False,
        model=SimpleNamespace(training=False),
        _entropy_bonus_enabled=False,
        _metrics=metrics,
        accelerator=SimpleNamespace(reduce=lambda x, reduction: x, gather=lambda x: x),
    )
    ids = torch.zeros(ROWS, TIME, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": torch.ones(ROWS, 1),
        "completion_ids": ids,
        "completion_mask": case["mask"],
        "advantages": case["advantages"],
        "old_per_token_logps": case["oldLogprobs"],
        "ref_per_token_logps": case["refLogprobs"],
    }
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    loss.backward()
    found = {name: values[0] for name, values in metrics["eval"].items()}
    return {
        "loss": loss.item(),
        "gradient": logprobs.grad.tolist(),
        "kl": found.get("kl", 0.0),
        "clipFraction": found["clip_ratio/region_mean"],
    }


def advantages_of(rewards, scale):
    grouped = rewards.view(-1, GROUP)
    # trl.trainer.utils.nanstd is the sample standard deviation (n - 1).
    centred = grouped - grouped.mean(1, keepdim=True)
    deviation = grouped.std(1, keepdim=True)
    return (centred / (deviation + 1e-4) if scale else centred).flatten()


def main():
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    rewards = torch.tensor([1.0, 0.0, 0.25, 0.5, 0.5, 0.5])
    logprobs = -torch.rand(ROWS, TIME) * 3
    case = {
        "logprobs": logprobs,
        "oldLogprobs": logprobs + 0.3 * torch.randn(ROWS, TIME),
        "refLogprobs": logprobs + 0.5 * torch.randn(ROWS, TIME),
        # Rows of unequal length, with holes where observations stand.
        "mask": torch.tensor(
            [
                [1, 1, 1, 1, 1, 1, 1],
                [1, 1, 0, 0, 1, 0, 0],
                [1, 0, 0, 1, 1, 1, 0],
                [1, 1, 1, 0, 0, 0, 0],
                [0, 1, 1, 1, 0, 0, 1],
                [1, 0, 0, 0, 0, 0, 0],
            ],
            dtype=torch.float64,
        ),
        # Not those of the rewards below: one group there has none, and every sign should meet every ratio.
        "advantages": torch.tensor([1.2, -0.7, 0.4, -1.5, 0.9, 0.1]),
    }
    difference = case["refLogprobs"] - case["logprobs"]
    kl = {"k1": -difference, "k2": difference**2 / 2, "k3": difference.exp() - difference - 1}
    losses = []
    for loss_type, mean in [("bnpo", "token"), ("grpo", "sequence")]:
        for clip, beta in [(0.2, 0.0), (0.2, 0.001), (0.1, 0.5)]:
            losses.append({"mean": mean, "clip": clip, "klCoef": beta, **trl_loss(case, loss_type, clip, beta)})
    by_hand = (kl["k3"] * case["mask"]).sum() / case["mask"].sum()
    assert abs(losses[1]["kl"] - by_hand.item()) < 1e-6, (losses[1]["kl"], by_hand)
    assert all(0.05 < entry["clipFraction"] < 0.95 for entry in losses)
    result = {
        "versions": {"trl": trl.__version__, "torch": torch.__version__},
        **{name: value.tolist() for name, value in case.items()},
        "kl": {name: value.tolist() for name, value in kl.items()},
        "losses": losses,
        "groupAdvantages": {
            "rewards": rewards.tolist(),
            "groups": [f"question {i // GROUP}" for i in range(ROWS)],
            "scaled": advantages_of(rewards, True).tolist(),
            "centred": advantages_of(rewards, False).tolist(),
        },
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    OUT.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
