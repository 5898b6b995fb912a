"""llama.cpp's side of llama.ts: one measurement for each line of its input, as one line of JSON.

Usage: python measure_llama.py MODEL.gguf THREADS PROMPT TOKENS
"""

import json
import sys
import time

from llama_cpp import Llama

path, threads, prompt, tokens = sys.argv[1], *map(int, sys.argv[2:5])
model = Llama(model_path=path, n_ctx=1024, n_threads=threads, n_threads_batch=threads, verbose=False)
ids = [10 + i * 7919 % 2000 for i in range(prompt)]
for _ in sys.stdin:
    model.reset()
    started = time.perf_counter()
    model.eval(ids[:-1])
    read = time.perf_counter()
    last = ids[-1]
    for _ in range(tokens):
        model.eval([last])
        last = model.sample(temp=0)
    ended = time.perf_counter()
    print(json.dumps({"prefill": read - started, "decode": ended - read}), flush=True)
