"""Trains on the data of a simulator (`zerosearch simulator-data`) as `trl sft --config trl.yaml` does: TRL's own parser and script,
two steps. What it learns must be the completions and nothing else.

    python read-trl.py <folder of the data> <folder of a model>
"""

import json
import os
import sys
import tempfile

data, model = map(os.path.abspath, sys.argv[1:])
os.chdir(data)

import trl
from trl.scripts.sft import main, make_parser

STEPS = 2


def expected(path):
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        yield row["messages"][-1]["content"] if "messages" in row else row["completion"]


class Watched(trl.SFTTrainer):
    """Looks at what it would learn, before it does."""

    def train(self, **options):
        for name, rows in (("train.jsonl", self.train_dataset), ("validation.jsonl", self.eval_dataset)):
            if rows is None:
                assert not os.path.exists(name), f"{name} is not evaluated"
                continue
            completions = sorted(text.strip() for text in expected(name))
            labels = [[label for label in row["labels"] if label != -100] for row in rows]
            learned = sorted(self.processing_class.decode(each, skip_special_tokens=True).strip() for each in labels)
            wrong = [pair for pair in zip(learned, completions, strict=True) if pair[0] != pair[1]]
            assert not wrong, f"{name}: {len(wrong)} differ, the first: {wrong[0]}"
            print(f"{name}: {len(rows)} examples, what is learned is their completions")
        if self.eval_dataset is not None:
            self.eval_dataset = self.eval_dataset.select(range(min(4, len(self.eval_dataset))))
        done = super().train(**options)
        assert self.state.global_step == STEPS, self.state.global_step
        print(f"{STEPS} steps, loss {done.training_loss:.3f}, evaluated: {self.eval_dataset is not None}")
        return done


trl.SFTTrainer = Watched
with tempfile.TemporaryDirectory() as folder:
    parser = make_parser()
    # Only the model is the user's own; two steps are enough, and a CPU trains in float32.
    machine = ["--use_cpu", "--report_to", "none", "--disable_tqdm", "true"]
    own = ["--model_name_or_path", model, "--output_dir", folder, "--max_steps", str(STEPS), "--bf16", "false", "--dtype", "float32"]
    # A setting that TRL does not know fails here.
    _, training, *_ = parser.parse_args_and_config(["--config", "trl.yaml", *machine], fail_with_unknown_args=True)
    print("settings:", {name: getattr(training, name) for name in ("completion_only_loss", "max_length", "max_steps", "learning_rate", "bf16")})
    assert (training.max_steps, training.learning_rate) == (1000, 1e-6)
    main(*parser.parse_args_and_config(["--config", "trl.yaml", *machine, *own]))
