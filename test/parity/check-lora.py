"""Loads with PEFT and transformers what we wrote, and compares logits. test/train/lora-parity.test.ts runs it.

Run: check-lora.py BASE ADAPTER MERGED NUMBERS, three folders and a file of `sequences` and `logits` (as in golden.json).
"""

import base64
import json
import sys

import numpy as np
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM

base, adapter, merged, numbers = sys.argv[1:]
numbers = json.loads(open(numbers).read())
settings = dict(dtype=torch.float32, attn_implementation="eager")
models = {
    "adapter": PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **settings), adapter),
    "adapter by its base's name": AutoPeftModelForCausalLM.from_pretrained(adapter, **settings),
    "merged": AutoModelForCausalLM.from_pretrained(merged, **settings),
}
for what, model in models.items():
    for ids, expected in zip(numbers["sequences"], numbers["logits"], strict=True):
        values = np.frombuffer(base64.b64decode(expected["base64"]), dtype="<f4").reshape(expected["shape"])
        with torch.no_grad():
            logits = model.eval()(input_ids=torch.tensor([ids])).logits[0].numpy()
        difference = np.abs(logits - values).max()
        assert difference < 1e-4, f"{what}: {difference}"
    print(what, "agrees")
