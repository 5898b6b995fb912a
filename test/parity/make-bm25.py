"""Golden BM25 scores from the PyPI package bm25s: writes fixtures/bm25.json. Run: python test/parity/make-bm25.py

The documents are real sentences of the mini world plus texts that are hard to cut into words.
"""

import json
from pathlib import Path

import bm25s

HERE = Path(__file__).parent
MINI = HERE.parent.parent / "data" / "mini"

HARD = [
    "Łódź's café — naïve, ﬁnal: ÅNGSTRÖM straße 3½ x² ١٢٣",
    "東京は日本の首都です。東京 Tokyo",
    "snake_case and CamelCase; e-mail, U.S.A., 1,000.5",
    "",
    "the the the the the the a a a a",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ İstanbul",
]
QUERIES = [
    "capital of Andorra",
    "airport city airport",
    "Andorra's calling code",
    "what is the currency",
    "ΣΑΣ ΟΔΥΣΣΕΥΣ straße",
    "東京 3½ café",
    "a the",
    "u s a snake_case",
    "nowhere-to-be-found",
    "",
]


def main() -> None:
    lines = (MINI / "documents-validation.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line)["text"] for line in lines[::40]] + HARD
    documents += documents[:5]  # equal documents: ties
    cases = []
    for k1, b in [(1.5, 0.75), (0.9, 0.4)]:
        retriever = bm25s.BM25(method="lucene", k1=k1, b=b)
        tokens = bm25s.tokenize(documents, token_pattern=r"(?u)\b\w+\b", stopwords=None, return_ids=False, show_progress=False)
        retriever.index(tokens, show_progress=False)
        for query in QUERIES:
            words = bm25s.tokenize([query], token_pattern=r"(?u)\b\w+\b", stopwords=None, return_ids=False, show_progress=False)[0]
            known = [word for word in words if word in retriever.vocab_dict]
            scores = retriever.get_scores(known).tolist() if known else [0.0] * len(documents)
            found = {i: score for i, score in enumerate(scores) if score > 0}
            cases.append({"k1": k1, "b": b, "query": query, "scores": found})
    fixture = {"bm25s": bm25s.__version__, "documents": documents, "cases": cases}
    target = HERE / "fixtures" / "bm25.json"
    target.write_text(json.dumps(fixture, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
