"""A retriever behind HTTP that is not ours: bm25s, in Search-R1's and in ZeroSearch's shape of `/retrieve`. `ask-bm25s.ts` starts it.

    python serve-bm25s.py <documents.jsonl>
"""

import json
import sys

import bm25s
from serve_json import serve

WORDS = {"token_pattern": r"(?u)\b\w+\b", "stopwords": None, "return_ids": False, "show_progress": False}
documents = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
contents = [f'"{each["title"]}"\n{each["text"]}' for each in documents]
retriever = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
retriever.index(bm25s.tokenize(contents, **WORDS), show_progress=False)


def search(query, count):
    words = [word for word in bm25s.tokenize([query], **WORDS)[0] if word in retriever.vocab_dict]
    scores = retriever.get_scores(words) if words else []
    best = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
    return [{"document": {"id": documents[i]["id"], "contents": contents[i]}, "score": float(scores[i])} for i in best if scores[i] > 0]


def answer(_path, body):
    if "queries" in body:
        return {"result": [search(query, body["topk"]) for query in body["queries"]]}
    return [{"text": each["document"]["contents"]} for each in search(body["query"], body["top_k"])]


serve(answer)
