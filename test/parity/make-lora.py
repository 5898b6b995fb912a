"""Makes fixtures/lora/: adapters that PEFT wrote for three of the checkpoints, with what PEFT and torch compute on them.

Run after make-checkpoints.py: .parity/venv/bin/python test/parity/make-lora.py
"""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
CHECKPOINTS = HERE / "fixtures" / "checkpoints"
OUT = HERE / "fixtures" / "lora"

LEARNING_RATE = 1e-2
MAX_GRAD_NORM = 1.0
EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# bfloat16: the adapter is saved in it.
ADAPTERS = {
    "llama3": dict(seed=1, bfloat16=False, config=dict(r=4, lora_alpha=8, target_modules="all-linear")),
    "qwen2": dict(seed=2, bfloat16=False, config=dict(r=8, lora_alpha=4, use_rslora=True, target_modules=["q_proj", "v_proj"])),
    "qwen3": dict(seed=3, bfloat16=True, config=dict(r=2, lora_alpha=3, lora_dropout=0.1, target_modules=EVERY)),
}

# The first two ids of each sequence carry no loss.
PROMPT = 2


def encoded(array):
    """float32 as base64 of little-endian bytes, with its shape."""
    array = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "base64": base64.b64encode(array.tobytes()).decode()}


def matrices(model, take):
    """By PEFT's names in files, without the adapter's own name."""
    return {
        name.replace(".default", ""): encoded(take(parameter).detach().numpy())
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def load(name):
    return AutoModelForCausalLM.from_pretrained(CHECKPOINTS / name, dtype=torch.float32, attn_implementation="eager")


def make(name, seed, bfloat16, config):
    folder = OUT / name
    generator = torch.Generator().manual_seed(seed)
    base = load(name)
    plain = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **config))
    for parameter in plain.parameters():
        if parameter.requires_grad:
            values = 0.3 * torch.randn(parameter.shape, generator=generator)
            # What the file can hold.
            parameter.data = values.bfloat16().float() if bfloat16 else values
    if bfloat16:
        for module in plain.modules():
            for part in ("lora_A", "lora_B"):
                if hasattr(module, part):
                    getattr(module, part).bfloat16()
    # No path of the machine that made it.
    plain.peft_config["default"].base_model_name_or_path = f"checkpoints/{name}"
    plain.save_pretrained(folder)
    (folder / "README.md").unlink()

    model = peft.PeftModel.from_pretrained(load(name), folder, is_trainable=True, autocast_adapter_dtype=True).eval()
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    sequences = [[(7 * i * i + 11 * row + 5 * i) % 250 for i in range(9 + 3 * row)] for row in range(3)]
    with torch.no_grad():
        logits = [encoded(model(input_ids=torch.tensor([ids])).logits[0].numpy()) for ids in sequences]
    losses = []
    for ids in sequences:
        scores = model(input_ids=torch.tensor([ids])).logits[0, PROMPT - 1 : -1, : vocabulary(name)]
        losses.append(torch.nn.functional.cross_entropy(scores, torch.tensor(ids[PROMPT:]), reduction="sum"))
    loss = sum(losses) / sum(len(ids) - PROMPT for ids in sequences)
    loss.backward()
    gradients = matrices(model, lambda parameter: parameter.grad)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    norm = torch.nn.utils.clip_grad_norm_(trainable, MAX_GRAD_NORM)
    torch.optim.AdamW(trainable, lr=LEARNING_RATE, weight_decay=0.0).step()
    numbers = {
        "versions": {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
        "prompt": PROMPT,
        "learningRate": LEARNING_RATE,
        "sequences": sequences,
        "logits": logits,
        "loss": loss.item(),
        "gradNorm": norm.item(),
        "gradients": gradients,
        "stepped": matrices(model, lambda parameter: parameter.data),
        "parameters": sum(parameter.numel() for parameter in trainable),
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in numbers.items())
    (folder / "golden.json").write_text(f"{{\n{lines}\n}}\n")
    print(name, sum(file.stat().st_size for file in folder.iterdir()), "bytes, loss", loss.item(), "norm", norm.item())


def vocabulary(name):
    """Ids of the tokenizer: rows of padding take no part in training."""
    return json.loads((CHECKPOINTS / name / "golden.json").read_text())["vocabulary"]


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    for name, adapter in ADAPTERS.items():
        make(name, **adapter)
