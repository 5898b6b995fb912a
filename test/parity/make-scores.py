"""Golden scores of the reference's own functions: writes fixtures/scores.json.

Run: python test/parity/make-scores.py path/to/ZeroSearch/verl/utils/reward_score/qa_em.py

The reference is not part of this project (Apache-2.0, github.com/Alibaba-NLP/ZeroSearch). The cases are made here.
"""

import importlib.util
import json
import random
import sys
from pathlib import Path

WORDS = [
    "a", "an", "the", "The", "AN", "Paris", "paris", "London", "New", "York", "new", "1972", "U.S.A.", "rock-n-roll", "yes", "no",
    "O'Neil", "é", "thé", "the-end", "a_b", "“the”", "«a»", "東京", "東京，a", "Σ", "ΟΔΥΣΣΕΥΣ", "ΣΑΣ", "İstanbul", "straße", "½", "x²", "١٢٣", "ﬁn", "A.", "+",
    "...", "$5", "a\u0301", "the\u200bthe", "\ufeffthe", "\u0085", "the\u001ca", "\u001f", "a\u00a0b", "e\u3000f", "\u2009", "\u200b", "\ufeff", "#1", "C++", "", "n/a", "१a", "aⅣ", "a①",
]
SPACES = [" ", " ", " ", "  ", "\t", "\n", "\u00a0", "\u0085", "\u001c", "\u001d", "\u3000", "\u200b", "\ufeff", "", "\u2028", "\v"]


def text(rng, most):
    parts = []
    for _ in range(rng.randint(0, most)):
        parts.append(rng.choice(WORDS))
        parts.append(rng.choice(SPACES))
    return "".join(parts)


def transcript(rng):
    parts = []
    for _ in range(rng.randint(0, 8)):
        parts.append(rng.choice(["<answer>", "</answer>", "<answer> ", " </answer>", "\n", text(rng, 2), "<information>"]))
    return "".join(parts)


def main():
    spec = importlib.util.spec_from_file_location("qa_em", sys.argv[1])
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    rng = random.Random(0)
    cases = []
    for _ in range(1500):
        golds = [text(rng, 3) for _ in range(rng.randint(1, 3))]
        answer = rng.choice(golds) if rng.random() < 0.3 else text(rng, 5)
        if rng.random() < 0.2:
            answer = text(rng, 1) + answer + text(rng, 1)
        em, f1 = reference.em_check(answer, golds)
        cases.append([answer, golds, reference.normalize_answer(answer), int(em), float(f1)])
    answers = []
    for _ in range(500):
        given = transcript(rng)
        answers.append([given, reference.extract_solution(given)])
    path = Path(__file__).parent / "fixtures" / "scores.json"
    python = ".".join(map(str, sys.version_info[:3]))
    lines = ",\n".join(json.dumps(each, ensure_ascii=True) for each in cases)
    more = ",\n".join(json.dumps(each, ensure_ascii=True) for each in answers)
    path.write_text(f'{{"versions": {{"python": "{python}"}},\n"cases": [\n{lines}\n],\n"answers": [\n{more}\n]}}\n')


if __name__ == "__main__":
    main()
