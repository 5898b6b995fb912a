"""Makes fixtures/formulas.json: whole updates' numbers by the papers' formulas, written out here in torch (float64, autograd),
independently of the project, TRL and verl.

Each case draws its own small batch (groups of 1 to 3 trajectories, rows without a policy token, with one, with an observation at
their end) and its own options, and goes the whole way: rewards of tokens, advantages, weights for the sampler's mismatch, policy
loss and value loss with their gradients, in two microbatches of unequal size.

Run: .parity/venv/bin/python test/parity/make-formulas.py
"""

import json
from pathlib import Path

import numpy as np
import torch

OUT = Path(__file__).parent / "fixtures" / "formulas.json"
CASES = 60
torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20)


def numbers(*shape, scale=1.0):
    return np.round(rng.normal(size=shape) * scale, 3)


def choose(*options):
    return options[rng.integers(len(options))]


# --- Inputs -------------------------------------------------------------------------------------------------------------


def draw_mask(rows, time):
    mask = (rng.random((rows, time)) < 0.65).astype(int)
    for row in mask:
        kind = choose("any", "any", "observation last", "one", "none")
        if kind == "observation last":
            row[-2:] = 0
        if kind in ("one", "none"):
            row[:] = 0
        if kind == "one":
            row[rng.integers(time)] = 1
    if mask.sum() < 2:
        mask[0, :2] = 1
    return mask


def draw_options(i):
    clip = choose(0.1, 0.2)
    clip_high = choose(clip, 0.28)
    return {
        "advantage": ["group", "rloo", "gae", "reinforce++", "reinforce++-baseline", "reinforce"][i % 6],
        "scale": choose("group", "batch", "none"),
        "deviation": choose("sample", "population"),
        "epsilon": choose(1e-4, 1e-6),
        "groupOfOne": choose("zero", "reward"),
        "normalize": choose(True, False),
        "gamma": choose(1, 0.9),
        "lambda": choose(1, 0.8),
        "rewardKl": choose(0, 0.1),
        "rewardEstimator": choose("k1", "k2", "k3"),
        "level": choose("token", "sequence"),
        "max": choose(2, 3, 1.25),
        "min": choose(0, 0.75),
        "outside": choose("truncate", "mask"),
        "weighted": choose(True, True, False),
        "ratio": choose("token", "token", "sequence", "trajectory"),
        "clipLow": clip,
        "clipHigh": clip_high,
        "dualClip": choose(None, 1.5, 3),
        "klCoef": choose(0, 0.05),
        "estimator": choose("k1", "k2", "k3", "k1+", "k3+"),
        "clamp": choose(10, 0.3),
        "aggregation": choose("token", "sequence", "constant"),
        "divisor": choose(1, 7),
        "emptySequences": choose("skip", "count"),
        "valueClip": choose(None, 0.2503),
    }


# --- Formulas -----------------------------------------------------------------------------------------------------------


def deviation(values, kind):
    if len(values) < 2:
        return 0.0
    return float(np.std(values, ddof=1 if kind == "sample" else 0))


def kl_value(d, estimator, clamp):
    """Schulman's estimates of d = log reference - log policy."""
    if estimator == "k1":
        return -d
    if estimator == "k2":
        return d**2 / 2
    return torch.clamp(torch.exp(d) - 1 - d, max=clamp)


def kl_with_gradient(logprobs, reference, estimator, clamp):
    d = reference - logprobs
    if not estimator.endswith("+"):
        return kl_value(d, estimator, clamp)
    straight = kl_value(d, "k2", clamp)
    return straight - straight.detach() + kl_value(d, estimator[:2], clamp).detach()


def whiten(rows, kind):
    flat = np.concatenate([np.asarray(row) for row in rows])
    mean, variance = flat.mean(), deviation(flat, kind) ** 2
    return [[(x - mean) / np.sqrt(variance + 1e-8) for x in row] for row in rows]


def group_advantages(groups, o, scale):
    everything = [r for group in groups for r in group]
    result = []
    for group in groups:
        if len(group) == 1:
            divisor = {"group": 1 + o["epsilon"], "batch": deviation(everything, o["deviation"]) + o["epsilon"], "none": 1}
            result.append(0 if o["groupOfOne"] == "zero" else group[0] / divisor[scale])
            continue
        spread = {"group": deviation(group, o["deviation"]), "batch": deviation(everything, o["deviation"])}
        divisor = 1 if scale == "none" else spread[scale] + o["epsilon"]
        result += [(r - np.mean(group)) / divisor for r in group]
    return result


def leave_one_out(groups, o):
    result = []
    for group in groups:
        for i, r in enumerate(group):
            others = group[:i] + group[i + 1 :]
            result.append(r - np.mean(others) if others else (0 if o["groupOfOne"] == "zero" else r))
    if not o["normalize"]:
        return result
    return [(a - np.mean(result)) / (deviation(result, "sample") + 1e-4) for a in result]


def advantages_of(o, groups, rewards, values):
    """Per policy token of each row; with GAE the returns too."""
    spread_out = lambda per_row: [[a] * len(row) for a, row in zip(per_row, rewards)]
    gamma, lam = o["gamma"], o["lambda"]
    if o["advantage"] == "group":
        return spread_out(group_advantages(groups, o, o["scale"])), None
    if o["advantage"] == "rloo":
        return spread_out(leave_one_out(groups, o)), None
    if o["advantage"] == "reinforce":
        return [[sum(row)] * len(row) for row in rewards], None
    if o["advantage"] == "reinforce++-baseline":
        return whiten(spread_out(group_advantages(groups, o, "none")), o["deviation"]), None
    if o["advantage"] == "reinforce++":
        returns = [[sum(gamma ** (s - t) * row[s] for s in range(t, len(row))) for t in range(len(row))] for row in rewards]
        return whiten(returns, o["deviation"]), None
    raw = []
    for row, v in zip(rewards, values):
        after = list(v[1:]) + [0.0]
        delta = [r + gamma * a - x for r, a, x in zip(row, after, v)]
        raw.append([sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, len(row))) for t in range(len(row))])
    returns = [[a + x for a, x in zip(row, v)] for row, v in zip(raw, values)]
    return whiten(raw, o["deviation"]), returns


def importance(o, trainer, sampler):
    def bound(w):
        if o["outside"] == "mask":
            return w if o["min"] <= w <= o["max"] else 0.0
        return min(max(w, o["min"]), o["max"])

    weights = []
    for a, b in zip(trainer, sampler):
        ratios = np.exp(np.asarray(a) - np.asarray(b))
        weights.append([bound(w) for w in ratios] if o["level"] == "token" else [bound(np.prod(ratios))] * len(ratios))
    return weights


def policy_objective(o, logprobs, old, advantages):
    """Of one row's policy tokens: what is to be maximised."""
    if o["ratio"] == "token":
        ratio = torch.exp(logprobs - old)
    elif o["ratio"] == "trajectory":
        ratio = torch.exp((logprobs - old).sum()).expand(len(old))
    else:  # GSPO-token, eq. 14: sg[s_i] * pi / sg[pi]
        ratio = torch.exp((logprobs - old).mean()).detach() * torch.exp(logprobs - logprobs.detach())
    terms = []
    for r, a in zip(ratio, advantages):
        clipped = torch.clamp(r, 1 - o["clipLow"], 1 + o["clipHigh"]) * a
        term = torch.minimum(r * a, clipped)
        if a < 0 and o["dualClip"] is not None:
            term = torch.maximum(term, o["dualClip"] * a * torch.ones_like(r))
        terms.append(term)
    return torch.stack(terms)


def aggregate(o, rows, tokens):
    """rows: losses of each row's policy tokens, of one microbatch; tokens: counts of the whole minibatch."""
    sequences = len(tokens) if o["emptySequences"] == "count" else sum(n > 0 for n in tokens)
    total = 0
    for row in rows:
        if len(row) > 0:
            total = total + {
                "token": row.sum() / sum(tokens),
                "sequence": row.mean() / sequences,
                "constant": row.sum() / o["divisor"] / sequences,
            }[o["aggregation"]]
    return total


# --- One case -----------------------------------------------------------------------------------------------------------


def make_case(i):
    sizes = [int(rng.integers(1, 4)) for _ in range(2)]
    rows, time = sum(sizes), int(rng.integers(4, 7))
    o, mask = draw_options(i), draw_mask(rows, time)
    scale = choose(0.1, 0.4)
    logprobs = -np.abs(numbers(rows, time))
    given = {
        "mask": mask,
        "logprobs": logprobs,
        "oldLogprobs": np.round(logprobs + numbers(rows, time, scale=scale), 3),
        "samplerLogprobs": np.round(logprobs + numbers(rows, time, scale=scale), 3),
        "refLogprobs": np.round(logprobs + numbers(rows, time, scale=2 * scale), 3),
        "oldValues": numbers(rows, time),
        "values": numbers(rows, time),
    }
    scores = [[float(x) for x in numbers(n)] for n in sizes]
    policy = lambda name: [given[name][r][mask[r] == 1] for r in range(rows)]
    old, reference, tokens = policy("oldLogprobs"), policy("refLogprobs"), [int(n) for n in mask.sum(1)]

    rewards = []
    for reward, a, b in zip([r for group in scores for r in group], old, reference):
        row = -o["rewardKl"] * kl_value(torch.tensor(b - a), o["rewardEstimator"], o["clamp"])
        row = row.tolist()
        if row:
            row[-1] += reward
        rewards.append(row)
    advantages, returns = advantages_of(o, scores, rewards, policy("oldValues"))
    weights = importance(o, old, policy("samplerLogprobs"))

    split = int(rng.integers(1, rows)) if rows > 1 else 1
    micro = []
    variables = [torch.tensor(row, requires_grad=True) for row in policy("logprobs")]
    value_variables = [torch.tensor(row, requires_grad=True) for row in policy("values")]
    for part in (range(split), range(split, rows)):
        losses, value_losses = [], []
        for r in part:
            if tokens[r] == 0:
                continue
            objective = policy_objective(o, variables[r], torch.tensor(old[r]), advantages[r])
            if o["weighted"]:
                objective = objective * torch.tensor(weights[r])
            kl = kl_with_gradient(variables[r], torch.tensor(reference[r]), o["estimator"], o["clamp"])
            losses.append(o["klCoef"] * kl - objective)
            if returns is not None:
                goal, before = torch.tensor(returns[r]), torch.tensor(policy("oldValues")[r])
                error = (value_variables[r] - goal) ** 2
                if o["valueClip"] is not None:
                    moved = torch.clamp(value_variables[r] - before, -o["valueClip"], o["valueClip"])
                    error = torch.maximum(error, (before + moved - goal) ** 2)
                value_losses.append(error / 2)
        loss, value_loss = aggregate(o, losses, tokens), aggregate(o, value_losses, tokens)
        for each in (loss, value_loss):
            if isinstance(each, torch.Tensor):
                each.backward()
        micro.append({"loss": item(loss), "valueLoss": item(value_loss)})

    gradient_of = lambda rows: [[0.0] * len(v) if v.grad is None else v.grad.tolist() for v in rows]
    result = {
        "rewards": rewards,
        "advantages": advantages,
        "weights": weights,
        "losses": [m["loss"] for m in micro],
        "gradient": gradient_of(variables),
    }
    if returns is not None:
        flat, said = np.concatenate([np.asarray(r) for r in returns]), np.concatenate(policy("oldValues"))
        result |= {
            "returns": returns,
            "valueLosses": [m["valueLoss"] for m in micro],
            "valueGradient": gradient_of(value_variables),
            "explainedVariance": 1 - float(np.var(flat - said) / np.var(flat)),
        }
    else:
        del given["values"], given["oldValues"]
    return {"options": o, "groups": scores, "split": split} | {k: v.tolist() for k, v in given.items()} | result


def item(value):
    return value.item() if isinstance(value, torch.Tensor) else float(value)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


cases = [rounded(make_case(i)) for i in range(CASES)]
OUT.write_text(
    '{"versions": ' + json.dumps({"torch": torch.__version__}) + ',\n"cases": [\n'
    + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n"
)
