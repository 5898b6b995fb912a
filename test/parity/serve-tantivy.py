"""tantivy, a search library of the kind of Lucene, behind HTTP, in Elasticsearch's shape of `_search`. `ask-tantivy.ts`
starts it. Elasticsearch itself is not here: the index is a real one, the shape is as its documentation gives it.

    python serve-tantivy.py <documents.jsonl>
"""

import json
import sys

import tantivy
from serve_json import serve

schema = (
    tantivy.SchemaBuilder()
    .add_text_field("_id", stored=True, tokenizer_name="raw")
    .add_text_field("title", stored=True, tokenizer_name="raw")
    .add_text_field("text", stored=True, tokenizer_name="raw")
    .add_text_field("contents")
    .build()
)
index = tantivy.Index(schema)
writer = index.writer(num_threads=1)
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    writer.add_document(tantivy.Document(_id=row["id"], title=row["title"], text=row["text"], contents=f"{row['title']}\n{row['text']}"))
writer.commit()
index.reload()
searcher = index.searcher()
analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase()).build()


def search(words, size):
    terms = [tantivy.Query.term_query(schema, "contents", word) for word in analyzer.analyze(words)]
    if not terms:
        return []
    query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
    for score, address in searcher.search(query, size).hits:
        source = {name: values[0] for name, values in searcher.doc(address).to_dict().items()}
        yield {"_index": "wiki", "_id": source.pop("_id"), "_score": score, "_source": source}


def answer(path, body):
    hits = list(search(body["query"]["multi_match"]["query"], body["size"])) if path == "/wiki/_search" else []
    best = max((hit["_score"] for hit in hits), default=None)
    return {"took": 1, "timed_out": False, "hits": {"max_score": best, "hits": hits}}


serve(answer)
