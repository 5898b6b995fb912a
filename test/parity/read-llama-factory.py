"""Reads the data of a simulator (`zerosearch simulator-data`) as LLaMA-Factory does: its own parser of arguments reads
llama-factory.yaml, its own loader the examples. What it would learn must be the completions and nothing else.

    python read-llama-factory.py <folder of the data> <folder of a model with a tokenizer>
"""

import json
import os
import sys

data, model = sys.argv[1:]
os.chdir(data)
os.environ["DISABLE_VERSION_CHECK"] = "1"

import yaml
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.extras.constants import IGNORE_INDEX
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer

with open("llama-factory.yaml") as file:
    config = yaml.safe_load(file)
print("settings:", json.dumps(config))
# Only the model is the user's own; a CPU has no bf16 training.
model_args, data_args, training_args, _, _ = get_train_args({**config, "model_name_or_path": os.path.abspath(model), "bf16": False, "report_to": "none"})
assert (training_args.max_steps, training_args.learning_rate) == (1000, 1e-6), training_args
loaded = load_tokenizer(model_args)
tokenizer = loaded["tokenizer"]
template = get_template_and_fix_tokenizer(tokenizer, data_args)
module = get_dataset(template, model_args, data_args, training_args, stage="sft", **loaded)


def expected(path):
    for line in open(path):
        row = json.loads(line)
        yield row["messages"][-1]["content"] if "messages" in row else row["completion"]


for part, name in (("train_dataset", "train.jsonl"), ("eval_dataset", "validation.jsonl")):
    if not os.path.exists(name):
        continue
    rows = module[part]
    # A list of datasets where there are several to evaluate on.
    rows = next(iter(rows.values())) if isinstance(rows, dict) else rows
    completions = list(expected(name))
    assert len(rows) == len(completions), (len(rows), len(completions))
    learned = sorted(
        tokenizer.decode([label for label in row["labels"] if label != IGNORE_INDEX], skip_special_tokens=True).strip() for row in rows
    )
    wrong = [(a, b) for a, b in zip(learned, sorted(text.strip() for text in completions)) if a != b]
    assert not wrong, wrong[0]
    print(f"{name}: {len(rows)} examples, what is learned is their completions")
