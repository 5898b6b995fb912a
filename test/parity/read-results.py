"""Reads with pandas, pyarrow and DuckDB the folder of an evaluation, and compares what they find. test/evaluation/results.test.ts
runs it.

Run: read-results.py FOLDER
"""

import json
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq

folder = Path(sys.argv[1])
lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text(encoding="utf-8").split("\n") if line]
table = pd.read_parquet(folder / "scores.parquet")
json_lines = pd.read_json(folder / "scores.jsonl", lines=True)
assert len(table) == len(json_lines) == len(lines), (len(table), len(json_lines), len(lines))
for name in ["method", "dataset", "questionId", "answer", "em", "f1", "searches", "seconds", "seed", "failure"]:
    expected = [line.get(name) for line in lines]
    found = [None if pd.isna(value) else value for value in table[name]]
    assert found == expected, (name, found, expected)
types = {field.name: str(field.type) for field in pq.read_schema(folder / "scores.parquet")}
wanted = {"method": "string", "em": "double", "searches": "int64", "seconds": "double", "seed": "int64", "budgetTurns": "int64"}
assert {name: types[name] for name in wanted} == wanted, types

means = table.groupby(["method", "dataset"])["em"].mean().to_dict()
for source in [f"'{folder}/scores.parquet'", f"read_json('{folder}/scores.jsonl')"]:
    rows = duckdb.sql(f"SELECT method, dataset, avg(em), count(failure) FROM {source} GROUP BY ALL").fetchall()
    assert {(method, dataset): em for method, dataset, em, _ in rows} == means, (source, rows, means)
((failed,),) = duckdb.sql(f"SELECT count(*) FROM '{folder}/scores.parquet' WHERE failure IS NOT NULL").fetchall()
assert failed == sum("failure" in line for line in lines)
if (folder / "trajectories.jsonl").exists():
    trajectories = pd.read_json(folder / "trajectories.jsonl", lines=True)
    assert len(trajectories) == len(lines)
    question = "SELECT method, question.id FROM read_json('{}/trajectories.jsonl') ORDER BY ALL".format(folder)
    assert duckdb.sql(question).fetchall() == sorted((line["method"], line["questionId"]) for line in lines)
print(f"{len(lines)} scores, {failed} failed, agree")
