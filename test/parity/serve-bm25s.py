"""A retriever behind HTTP that is not ours: bm25s, in Search-R1's and in ZeroSearch's shape of `/retrieve`. `ask-bm25s.ts` starts it.

    python serve-bm25s.py <documents.jsonl>
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import bm25s

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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "queries" in body:
            answer = {"result": [search(query, body["topk"]) for query in body["queries"]]}
        else:
            answer = [{"text": each["document"]["contents"]} for each in search(body["query"], body["top_k"])]
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
