"""Golden numbers of scipy and statsmodels: writes fixtures/statistics.json. Run: python test/parity/make-statistics.py"""

import json
import random
from pathlib import Path

import numpy
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint, proportions_ztest


def paired_power(n, first, second, alpha):
    """Full sums, without a window."""
    differing = first + second
    power = 0.0
    for m in range(n + 1):
        counts = numpy.arange(m + 1)
        p = numpy.minimum(1, 2 * stats.binom.cdf(numpy.minimum(counts, m - counts), m, 0.5)) if m else numpy.ones(1)
        chosen = stats.binom.pmf(counts, m, first / differing)[p <= alpha].sum()
        power += stats.binom.pmf(m, n, differing) * chosen
    return float(power)


def bootstrap(sets, mean_of, rng):
    total = sum(map(len, sets))
    means = []
    for _ in range(20000):
        drawn = [numpy.mean(rng.choice(each, len(each))) for each in sets]
        means.append(numpy.mean(drawn) if mean_of == "sets" else sum(d * len(s) for d, s in zip(drawn, sets)) / total)
    return [float(numpy.quantile(means, q)) for q in (0.025, 0.975)] + [float(numpy.std(means))]


def main():
    rng = random.Random(0)
    numbers = numpy.random.default_rng(0)
    golden = {"versions": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__}}
    golden["wilson"] = []
    for n in [1, 2, 10, 72, 125, 500, 3610, 51713]:
        for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
            low, high = proportion_confint(k, n, method="wilson")
            golden["wilson"].append([k, n, float(low), float(high)])
    golden["mcnemar"] = []
    for _ in range(60):
        b, c = rng.randint(0, 10 ** rng.randint(0, 4)), rng.randint(0, 10 ** rng.randint(0, 4))
        golden["mcnemar"].append([b, c, float(mcnemar([[0, b], [c, 0]], exact=True).pvalue)])
    golden["holm"] = []
    for size in [1, 2, 5, 40]:
        given = [rng.random() ** 3 for _ in range(size)] + ([0.01, 0.01, 1.0] if size > 2 else [])
        golden["holm"].append([given, [float(p) for p in multipletests(given, method="holm")[1]]])
    golden["power"] = []
    for n, first, second, alpha in [(50, 0.2, 0.1, 0.05), (125, 0.12, 0.08, 0.05), (500, 0.12, 0.08, 0.05), (500, 0.05, 0.05, 0.05), (800, 0.3, 0.2, 0.01), (300, 0.1, 0, 0.001)]:
        golden["power"].append([n, first, second, alpha, paired_power(n, first, second, alpha)])
    golden["proportions"] = []
    for a, n, b, m in [(207, 500, 199, 500), (10, 125, 30, 125), (0, 20, 3, 30), (500, 500, 480, 500), (24, 72, 41, 125), (1600, 3610, 1500, 3610)]:
        low, high = confint_proportions_2indep(a, n, b, m, method="newcomb")
        golden["proportions"].append([a, n, b, m, float(low), float(high), float(proportions_ztest([a, b], [n, m])[1])])
    golden["bootstrap"] = []
    for sets in [
        [[int(x) for x in numbers.random(n) < p] for n, p in [(500, 0.4), (500, 0.6), (125, 0.3)]],
        [[round(float(x), 3) for x in numbers.random(n) ** 2] for n in (80, 300)],
        [[int(x) for x in numbers.choice([-1, 0, 0, 0, 1, 1], n)] for n in (200, 60)],
        [[0] * 20, [1] * 5 + [0] * 15],
    ]:
        for mean_of in ("sets", "questions"):
            golden["bootstrap"].append([sets, mean_of, *bootstrap(sets, mean_of, numbers)])
    one = golden["bootstrap"][2][0][1]
    result = stats.bootstrap((one,), numpy.mean, n_resamples=20000, method="percentile", rng=1)
    interval = result.confidence_interval
    golden["bootstrap"].append([[one], "sets", float(interval.low), float(interval.high), float(result.standard_error)])
    path = Path(__file__).parent / "fixtures" / "statistics.json"
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
