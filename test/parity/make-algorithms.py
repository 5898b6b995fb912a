"""Makes fixtures/algorithms.json: advantages, losses and gradients as TRL and verl compute them on small random inputs.

The libraries' own code runs. TRL: `GRPOTrainer._compute_loss` and `RLOOTrainer._compute_loss` with log-probabilities given in
place of a model's, and the passages on advantages and importance weights cut out of `_generate_and_score_completions`.
verl: `core_algos.py` and `rollout_corr_helper.py`, loaded from its sdist without the packages that they import but that these
functions don't use.

    pip download verl==0.9.1 --no-deps --no-binary :all: && tar xf verl-0.9.1.tar.gz

Run: .parity/venv/bin/python test/parity/make-algorithms.py verl-0.9.1
"""

import importlib.util
import inspect
import json
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
import trl
from trl import GRPOTrainer, RLOOTrainer
from trl.rewards import get_soft_overlong_punishment
from trl.trainer import grpo_trainer, rloo_trainer

OUT = Path(__file__).parent / "fixtures" / "algorithms.json"


# --- verl ---------------------------------------------------------------------------------------------------------------


class ActorConfig:
    """The fields of verl's class that the losses read."""

    def __init__(self, low, high, dual, info):
        self.clip_ratio, self.clip_ratio_low, self.clip_ratio_high = low, low, high
        self.clip_ratio_c, self.global_batch_info = dual, info

    def get(self, key, default=None):
        return getattr(self, key, default)


def load_verl(folder):
    def stand_in(name, **members):
        module = sys.modules[name] = ModuleType(name)
        module.__path__ = []
        module.__dict__.update(members)
        return module

    def real(name, path):
        spec = importlib.util.spec_from_file_location(name, folder / "verl" / path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    nothing = SimpleNamespace
    stand_in("omegaconf", DictConfig=dict)
    stand_in("tensordict", TensorDict=dict)
    stand_in("verl")
    stand_in("verl.protocol", DataProto=nothing)
    stand_in("verl.trainer")
    stand_in("verl.trainer.config", AlgoConfig=type("AlgoConfig", (), {}))
    stand_in("verl.trainer.config.algorithm", RolloutCorrectionConfig=nothing)
    stand_in("verl.workers")
    stand_in("verl.workers.config", ActorConfig=ActorConfig)
    stand_in("verl.workers.config.actor", PolicyLossConfig=nothing)
    stand_in("verl.utils", as_torch_index=None, group_mean_std=None)
    stand_in("verl.utils.device", get_device_name=lambda: "cpu", get_torch_device=lambda: torch.cpu)
    real("verl.utils.import_utils", "utils/import_utils.py")
    functional = real("verl.utils.torch_functional", "utils/torch_functional.py")
    sys.modules["verl.utils"].torch_functional = functional
    core = real("verl.core_algos", "trainer/ppo/core_algos.py")
    return core, real("verl.rollout_corr_helper", "trainer/ppo/rollout_corr_helper.py")


# --- Inputs -------------------------------------------------------------------------------------------------------------


def batch(seed, rows, time, spread, mask, per_sequence):
    generator = torch.Generator().manual_seed(seed)
    noise = lambda: torch.randn(rows, time, generator=generator)
    rounded = lambda values: (values * 1e4).round() / 1e4
    logprobs = -torch.rand(rows, time, generator=generator) * 3
    advantages = torch.randn(rows, 1, generator=generator).expand(rows, time) if per_sequence else noise()
    return {
        "logprobs": rounded(logprobs),
        "oldLogprobs": rounded(logprobs + spread * noise()),
        "refLogprobs": rounded(logprobs + 2 * spread * noise()),
        "advantages": rounded(advantages),
        "weights": rounded(torch.rand(rows, time, generator=generator) * 2),
        "values": rounded(noise()),
        "oldValues": rounded(noise()),
        "returns": rounded(noise()),
        "mask": torch.tensor(mask, dtype=torch.float64),
    }


HOLES = [
    [1, 1, 1, 1, 1, 1, 1],
    [1, 1, 0, 0, 1, 0, 0],
    [1, 0, 0, 1, 1, 1, 0],
    [1, 1, 1, 0, 0, 0, 0],
    [0, 1, 1, 1, 0, 0, 1],
    [1, 0, 0, 0, 0, 0, 0],
]
EMPTY_ROWS = [[1, 1, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]


def batches():
    return [
        batch(1, 6, 7, 0.3, HOLES, True),
        batch(2, 4, 5, 0.5, EMPTY_ROWS, False),
        # Ratios far from 1, so that every clip and clamp is met.
        batch(3, 6, 7, 3.0, HOLES, False),
    ]


# --- Losses -------------------------------------------------------------------------------------------------------------

# Our name of each way to make one loss of tokens.
VERL_AGGREGATION = {"token": "token-mean", "sequence": "seq-mean-token-mean", "constant": "seq-mean-token-sum-norm"}
TRL_AGGREGATION = {"token": "bnpo", "sequence": "grpo", "constant": "dr_grpo"}
LENGTH = 5


def verl_loss(core, case, o):
    logprobs = case["logprobs"].clone().requires_grad_()
    mode = VERL_AGGREGATION[o["aggregation"]]
    info = {"loss_scale_factor": LENGTH} if o["aggregation"] == "constant" else {}
    config = ActorConfig(o["clipLow"], o["clipHigh"], o.get("dualClip", 3.0), info)
    function = core.compute_policy_loss_gspo if o["ratio"] == "sequence" else core.compute_policy_loss_vanilla
    weights = case["weights"] if o["weighted"] else None
    loss, metrics = function(
        case["oldLogprobs"], logprobs, case["advantages"], case["mask"], mode, config, weights
    )
    kl = core.kl_penalty(logprobs, case["refLogprobs"], o["estimator"])
    if o["klCoef"] > 0:
        loss = loss + o["klCoef"] * core.agg_loss(kl, case["mask"], mode, **info)
    loss.backward()
    return {
        "loss": loss.item(),
        "gradient": logprobs.grad.tolist(),
        "kl": core.verl_F.masked_mean(kl.detach(), case["mask"]).item(),
        "clipFraction": metrics["actor/pg_clipfrac"] + metrics["actor/pg_clipfrac_lower"],
        "oldKl": metrics["actor/ppo_kl"],
    }


def trl_loss(case, o):
    logprobs = case["logprobs"].clone().requires_grad_()
    metrics = {"eval": defaultdict(list)}
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (logprobs, torch.zeros_like(logprobs), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=o["ratio"],
        beta=o["klCoef"],
        args=SimpleNamespace(use_bias_correction_kl=False, delta=o.get("dualClip")),
        loss_type=TRL_AGGREGATION.get(o["aggregation"]),
        max_completion_length=LENGTH,
        epsilon_low=o["clipLow"],
        epsilon_high=o["clipHigh"],
        use_vllm=o["weighted"],
        vllm_importance_sampling_correction=True,
        model=SimpleNamespace(training=False),
        _entropy_bonus_enabled=False,
        _metrics=metrics,
        accelerator=SimpleNamespace(reduce=lambda x, reduction: x, gather=lambda x: x),
    )
    rows, time = case["mask"].shape
    ids = torch.zeros(rows, time, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": torch.ones(rows, 1),
        "completion_ids": ids,
        "completion_mask": case["mask"],
        "advantages": case["advantages"],
        "old_per_token_logps": case["oldLogprobs"],
        "ref_per_token_logps": case["refLogprobs"],
        "importance_sampling_ratio": case["weights"],
    }
    if o["ratio"] == "trajectory":
        inputs["old_logps"] = (case["oldLogprobs"] * case["mask"]).sum(1)
        inputs["advantages"] = case["advantages"][:, 0]
        loss = RLOOTrainer._compute_loss(trainer, None, inputs)
    else:
        loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    loss.backward()
    found = {name: values[0] for name, values in metrics["eval"].items()}
    result = {"loss": loss.item(), "gradient": logprobs.grad.tolist()}
    if "kl" in found:
        result["kl"] = found["kl"]
    # TRL counts a token that the dual clip binds only where the region clips it too, and sequences instead of tokens.
    if o["ratio"] == "token" and "dualClip" not in o:
        result["clipFraction"] = found["clip_ratio/region_mean"]
    return result


def losses(core, data):
    base = {
        "aggregation": "token",
        "ratio": "token",
        "clipLow": 0.2,
        "clipHigh": 0.2,
        "klCoef": 0.0,
        "estimator": "k3",
        "weighted": False,
    }
    verl = [
        *({"aggregation": a, "dualClip": 3.0} for a in VERL_AGGREGATION),
        {"clipHigh": 0.28, "dualClip": 1.5},
        {"clipLow": 0.1, "dualClip": 10.0, "weighted": True, "klCoef": 0.05, "aggregation": "sequence"},
        *({"estimator": e, "klCoef": 0.5, "dualClip": 3.0} for e in ["k1", "k2", "k3", "k1+", "k3+"]),
        {"estimator": "k3", "klCoef": 0.001, "aggregation": "constant", "dualClip": 3.0},
        *({"ratio": "sequence", "aggregation": a, "clipHigh": 0.3} for a in ["sequence", "token"]),
        {"ratio": "sequence", "aggregation": "sequence", "clipLow": 3e-4, "clipHigh": 4e-4, "weighted": True},
    ]
    trl_cases = [
        *({"aggregation": a, "klCoef": b} for a in TRL_AGGREGATION for b in [0.0, 0.3]),
        {"clipLow": 0.1, "clipHigh": 0.28, "weighted": True},
        {"dualClip": 2.0, "clipHigh": 0.3},
    ]
    # With a ratio of the sequence, TRL gives each token the gradient of the mean advantage, so there has to be one.
    # RLOO's ratio is of the whole trajectory, and its loss the mean over all trajectories.
    one_ratio = [
        *({"ratio": "sequence", "aggregation": a, "clipHigh": 0.3} for a in ["sequence", "token"]),
        {"ratio": "trajectory", "aggregation": "sequence"},
    ]
    found = []
    for number, case in enumerate(data):
        for o in verl:
            o = {**base, **o}
            found.append({"of": "verl", "batch": number, **o, **verl_loss(core, case, o)})
        one_advantage = (case["advantages"] == case["advantages"][:, :1]).all()
        for o in trl_cases + (one_ratio if one_advantage else []):
            o = {**base, **o}
            found.append({"of": "trl", "batch": number, **o, **trl_loss(case, o)})
    return found


def value_losses(core, data):
    found = []
    for number, case in enumerate(data):
        for clip, aggregation in [(0.2, "token"), (0.5, "sequence"), (1.0, "token")]:
            values = case["values"].clone().requires_grad_()
            loss, clipped = core.compute_value_loss(
                values, case["returns"], case["oldValues"], case["mask"], clip, VERL_AGGREGATION[aggregation]
            )
            loss.backward()
            found.append(
                {
                    "batch": number,
                    "clip": clip,
                    "aggregation": aggregation,
                    "loss": loss.item(),
                    "gradient": values.grad.tolist(),
                    "clipFraction": clipped.item(),
                }
            )
    return found


# --- Advantages ---------------------------------------------------------------------------------------------------------


def passage(function, start, end):
    """Lines of a method from the first that begins with `start` to the next that begins with `end`, as code to run."""
    lines = inspect.getsource(function).split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip().startswith(start))
    last = next(i for i in range(first, len(lines)) if lines[i].strip().startswith(end))
    return textwrap.dedent("\n".join(lines[first : last + 1]))


def trl_group_advantages(groups, scale):
    rewards = torch.tensor(groups)
    names = {
        **vars(grpo_trainer),
        "self": SimpleNamespace(
            multi_objective_aggregation="sum_then_normalize", reward_weights=torch.ones(1), scale_rewards=scale
        ),
        "device": "cpu",
        "rewards_per_func": rewards.reshape(-1, 1),
        "num_generations": rewards.shape[1],
    }
    method = GRPOTrainer._generate_and_score_completions
    exec(passage(method, "unscorable_mask =", "advantages = torch.nan_to_num"), names)
    return names["advantages"].view_as(rewards).tolist()


def trl_leave_one_out(groups, normalize):
    rewards = torch.tensor(groups)
    names = {
        **vars(rloo_trainer),
        "self": SimpleNamespace(normalize_advantages=normalize),
        "rewards": rewards.flatten(),
        "num_generations": rewards.shape[1],
    }
    method = RLOOTrainer._generate_and_score_completions
    exec(passage(method, "grouped_rewards =", "advantages = torch.nan_to_num"), names)
    return names["advantages"].view_as(rewards).tolist()


def verl_rewards(groups, mask):
    """The reward of each trajectory on its last policy token."""
    rewards = torch.zeros_like(mask)
    for row, reward in enumerate(sum(groups, [])):
        places = mask[row].nonzero()
        if len(places):
            rewards[row, places[-1]] = reward
    return rewards


def advantages(core, data):
    even = [[[1.0, 0.0, 0.25], [0.5, 0.5, 0.5]], [[0.3, 0.7, 0.7], [2.0, -1.0, 0.1]], [[1.0], [0.2]]]
    group = [
        {"of": "trl", "groups": groups, "scale": scale, "advantages": trl_group_advantages(groups, scale)}
        for groups in even
        for scale in ["group", "batch", "none"]
    ]
    leave_one_out = [
        {"of": "trl", "groups": groups, "normalize": n, "advantages": trl_leave_one_out(groups, n)}
        for groups in even
        for n in [False, True]
    ]
    uneven = [[1.0, 0.0, 0.25], [0.5], [0.75, 0.1]]
    index = np.array([0, 0, 0, 1, 2, 2])
    whole = torch.ones(6, 1)
    scores = torch.tensor(sum(uneven, [])).reshape(-1, 1)
    grouped = lambda flat: [flat[0:3], flat[3:4], flat[4:6]]
    for scale in ["group", "none"]:
        found, _ = core.compute_grpo_outcome_advantage(scores.clone(), whole, index, 1e-6, scale == "group")
        group.append({"of": "verl", "groups": uneven, "scale": scale, "advantages": grouped(found.flatten().tolist())})
    found, _ = core.compute_rloo_outcome_advantage(scores.clone(), whole, index)
    leave_one_out.append(
        {"of": "verl", "groups": uneven, "normalize": False, "advantages": grouped(found.flatten().tolist())}
    )
    tokens = []
    for number, groups in [(0, uneven), (2, [[0.0, 1.0], [1.0, 1.0, 0.5], [0.3]]), (1, [[1.0, 0.0], [0.2, 0.7]])]:
        case = data[number]
        mask = case["mask"]
        index = np.array([i for i, group_ in enumerate(groups) for _ in group_])
        kl_coef = 0.1
        # verl's `apply_kl_penalty` in `ray_trainer.py`.
        kl = core.kl_penalty(case["oldLogprobs"], case["refLogprobs"], "kl") * mask
        rewards = verl_rewards(groups, mask) - kl_coef * kl
        for gamma, lam in [(1.0, 1.0), (0.99, 0.95), (0.9, 0.0)]:
            whitened, returns = core.compute_gae_advantage_return(rewards, case["values"], mask, gamma, lam)
            returned, _ = core.compute_reinforce_plus_plus_outcome_advantage(
                rewards, mask, SimpleNamespace(gamma=gamma)
            )
            tokens.append(
                {
                    "batch": number,
                    "groups": groups,
                    "klCoef": kl_coef,
                    "gamma": gamma,
                    "lambda": lam,
                    "rewards": rewards.tolist(),
                    "gae": (whitened * mask).tolist(),
                    "returns": (returns * mask).tolist(),
                    "reinforcePlusPlus": returned.tolist(),
                }
            )
        outcome = verl_rewards(groups, mask)
        found, _ = core.compute_reinforce_plus_plus_baseline_outcome_advantage(outcome, mask, index)
        # A trajectory without a token has no reward in verl; in ours its group still has it.
        if (mask.sum(1) > 0).all():
            tokens[-1]["reinforcePlusPlusBaseline"] = found.tolist()
    return {"groupAdvantages": group, "leaveOneOut": leave_one_out, "tokenAdvantages": tokens}


# --- Others -------------------------------------------------------------------------------------------------------------


def importance_weights(helper, data):
    found = []
    method = GRPOTrainer._generate_and_score_completions
    code = passage(method, "mask = completion_mask if tool_mask", "raise ValueError") + "\n        f''\n    )"
    # Up to the error of an unknown mode, whose message spans lines.
    code = code[: code.rindex("else:")]
    for number, case in enumerate(data):
        logprobs, sampler, mask = case["logprobs"], case["oldLogprobs"], case["mask"]
        for level in ["token", "sequence"]:
            for threshold, bounds in [(2.0, {"max": 2.0}), ("0.5_2.0", {"min": 0.5, "max": 2.0, "outside": "mask"})]:
                try:
                    weights, _ = helper.compute_rollout_correction_weights(logprobs - sampler, mask, level, threshold)
                except ZeroDivisionError:  # verl's metrics, where every weight is 0.
                    continue
                options = {"level": level, **bounds}
                found.append({"of": "verl", "batch": number, "options": options, "weights": weights.tolist()})
            for outside in ["truncate", "mask"]:
                names = {
                    **vars(grpo_trainer),
                    "completion_mask": mask,
                    "tool_mask": None,
                    "old_per_token_logps": logprobs,
                    "sampling_per_token_logps": sampler,
                    "self": SimpleNamespace(
                        vllm_importance_sampling_mode=f"{level}_{outside}",
                        vllm_importance_sampling_clip_min=0.25,
                        vllm_importance_sampling_clip_max=3.0,
                    ),
                }
                exec(code, names)
                weights = names["vllm_importance_sampling_ratio"].expand_as(mask) * mask
                options = {"level": level, "min": 0.25, "max": 3.0, "outside": outside}
                found.append({"of": "trl", "batch": number, "options": options, "weights": weights.tolist()})
    mismatch = []
    for number, case in enumerate(data):
        metrics = helper.compute_offpolicy_metrics(case["logprobs"], case["oldLogprobs"], case["mask"])
        mismatch.append({"batch": number, "kl": metrics["kl"], "k3": metrics["k3_kl"]})
    return {"importanceWeights": found, "samplerMismatch": mismatch}


def adaptive_kl(core):
    controller = core.AdaptiveKLController(0.2, 0.1, 1000)
    steps = []
    for kl, trajectories in [(0.1, 64), (0.3, 64), (0.0, 128), (0.11, 7)]:
        controller.update(kl, trajectories)
        steps.append({"kl": kl, "trajectories": trajectories, "klCoef": float(controller.value)})
    return {"start": 0.2, "target": 0.1, "horizon": 1000, "steps": steps}


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, torch.Tensor):
        return rounded(value.tolist())
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def main():
    torch.set_default_dtype(torch.float64)
    core, helper = load_verl(Path(sys.argv[1]))
    data = batches()
    lengths = [0, 60, 79, 80, 81, 90, 100, 101, 150]
    result = {
        "versions": {"trl": trl.__version__, "verl": "0.9.1", "torch": torch.__version__},
        "batches": data,
        "losses": losses(core, data),
        "valueLosses": value_losses(core, data),
        **advantages(core, data),
        **importance_weights(helper, data),
        "adaptiveKl": adaptive_kl(core),
        "overlong": {
            "maxLength": 100,
            "buffer": 20,
            "lengths": lengths,
            "penalties": get_soft_overlong_punishment(100, 20)([[0] * n for n in lengths]),
        },
    }
    lines = []
    for key, value in rounded(result).items():
        rows = isinstance(value, list)
        text = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]" if rows else json.dumps(value)
        lines.append(f"{json.dumps(key)}: {text}")
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
