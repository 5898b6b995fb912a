"""Reads what a run wrote with TensorBoard, pandas and DuckDB, and prints what they found as JSON. Argument: the run's folder."""

import json
import sys
from pathlib import Path

import duckdb
import pandas
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = Path(sys.argv[1])
found = {}

events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
events.Reload()
tags = events.Tags()["scalars"]
found["scalars"] = {tag: [[event.step, event.value, event.wall_time] for event in events.Scalars(tag)] for tag in tags}

updates = pandas.read_json(run / "updates.jsonl", lines=True)
found["updates"] = updates["update"].tolist()
found["reward"] = updates["reward"].tolist()

ending = next((run / "trajectories").iterdir()).suffix
files = sorted((run / "trajectories").glob(f"*{ending}"))
if ending == ".parquet":
    frame = pandas.read_parquet(run / "trajectories")
    source = f"read_parquet('{run}/trajectories/*.parquet')"
else:
    frame = pandas.concat([pandas.read_json(file, lines=True, dtype_backend="pyarrow") for file in files])
    source = f"read_json('{run}/trajectories/*.jsonl', format='newline_delimited')"
found["pandas"] = [[int(u), int(r), [int(i) for i in ids]] for u, r, ids in zip(frame["update"], frame["rollout"], frame["ids"])]
rows = duckdb.sql(f'SELECT "update", rollout, ids, reward, answer, len(logprobs) FROM {source} ORDER BY "update", rollout').fetchall()
found["duckdb"] = [list(row) for row in rows]
found["records"] = duckdb.sql(f"SELECT count(*), min(\"update\"), max(\"update\") FROM read_json('{run}/updates.jsonl')").fetchall()[0]
print(json.dumps(found))
