"""Makes fixtures/adamw.json: steps of torch's AdamW with clipping of the gradient norm, on a small matrix and a bias.

Run: .parity/venv/bin/python test/parity/make-adamw.py
"""

import json
from pathlib import Path

import torch

OUT = Path(__file__).parent / "fixtures" / "adamw.json"
OPTIONS = {"beta1": 0.9, "beta2": 0.98, "epsilon": 1e-3, "weightDecay": 0.1, "maxGradNorm": 1.0}
RATES = [0.05, 0.02, 0.1, 0.03]

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
parameters = {"matrix": torch.randn(3, 4, requires_grad=True), "bias": torch.randn(4, requires_grad=True)}
# Of the first two steps the gradient is clipped, of the others it is not.
gradients = [{key: scale * torch.randn_like(value) for key, value in parameters.items()} for scale in (3, 1, 0.1, 0.01)]
optimizer = torch.optim.AdamW(
    [
        {"params": [parameters["matrix"]], "weight_decay": OPTIONS["weightDecay"]},
        {"params": [parameters["bias"]], "weight_decay": 0.0},
    ],
    betas=(OPTIONS["beta1"], OPTIONS["beta2"]),
    eps=OPTIONS["epsilon"],
)
flat = lambda tensors: {key: value.flatten().tolist() for key, value in tensors.items()}
start = flat(parameters)
steps = []
for rate, gradient in zip(RATES, gradients):
    for group in optimizer.param_groups:
        group["lr"] = rate
    for key, value in parameters.items():
        value.grad = gradient[key].clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters.values(), OPTIONS["maxGradNorm"]).item()
    optimizer.step()
    steps.append({"learningRate": rate, "gradients": flat(gradient), "norm": norm, "weights": flat(parameters)})

result = {"versions": {"torch": torch.__version__}, "shapes": {"matrix": [3, 4], "bias": [4]}}
OUT.write_text(json.dumps({**result, "options": OPTIONS, "start": start, "steps": steps}, indent=1) + "\n")
