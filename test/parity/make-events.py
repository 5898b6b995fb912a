"""Golden event files: writes fixtures/events.json.

Run: python test/parity/make-events.py

Each case is a list of steps with their scalars, and the bytes (base64) that TensorBoard's own RecordWriter and Event messages
give for it.
"""

import base64
import io
import json
import random
from pathlib import Path

import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

TAGS = ["train/reward", "train/em", "metrics/validationEm", "reward/f1", "metrics/é 東京 🙂", "m", "x" * 200]
VALUES = [0.0, 1.0, -1.5, 1e-30, 3.4e38, 0.1, 123456.789]
STEPS = [0, 1, 127, 128, 300, 16384, 2**31, 2**40]


def write(start, events):
    file = io.BytesIO()
    writer = RecordWriter(file)
    writer.write(Event(wall_time=start, file_version="brain.Event:2").SerializeToString())
    for event in events:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in event["scalars"].items()]
        message = Event(wall_time=event["wallTime"], step=event["step"], summary=Summary(value=values))
        writer.write(message.SerializeToString())
    return base64.b64encode(file.getvalue()).decode()


def main():
    rng = random.Random(5)
    cases = []
    for n in range(12):
        start = 1.7e9 + rng.random() * 1e6
        events = []
        for step in sorted(rng.sample(STEPS[1:], rng.randint(0, 6))):
            tags = rng.sample(TAGS, rng.randint(0, len(TAGS)))
            scalars = {tag: rng.choice(VALUES) for tag in tags}
            events.append({"wallTime": start + rng.random() * 1e4, "step": step, "scalars": scalars})
        cases.append({"start": start, "events": events, "bytes": write(start, events)})
    path = Path(__file__).parent / "fixtures" / "events.json"
    versions = {"tensorboard": tensorboard.__version__}
    path.write_text(json.dumps({"versions": versions, "cases": cases}, ensure_ascii=False, indent=1) + "\n")


main()
