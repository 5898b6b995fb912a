"""Asks `zerosearch serve` as other trainers' search tools do (after `npm run build`):

    python ask-as-others.py [<search_r1_like_utils.py of verl> [<folder with skyrl_gym>]]

- verl: `call_search_api` of verl/tools/utils/search_r1_like_utils.py (volcengine/verl, 409d5ed), its own code where the file is given;
- SkyRL: `SearchToolGroup` of skyrl_gym/tools/search.py (skyrl-gym 0.4.0 of PyPI), its own code where the folder is given;
- OpenRLHF has no search tool of its own: a `step` of an agent, as in its guide, that asks in Search-R1's shape.

Where no code of theirs is given, requests of the same shape are sent, read as they read them. 64 clients of each kind ask at once a BM25
index of documents whose words are all different, so that each answer shows to whom it belongs.
"""

import asyncio
import importlib.util
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

ROOT = Path(__file__).parents[2]
COUNT, CLIENTS = 2000, 64


def passages_of(result):
    """Documents as verl reads them: the first line is the title."""
    for each in result:
        title, _, text = each["document"]["contents"].partition("\n")
        yield title, text


def verl_client(path):
    if path is None:

        def call(url, queries, topk):
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            body = {"queries": queries, "topk": topk, "return_scores": True}
            return requests.post(url, headers=headers, json=body, timeout=30).json()["result"]

        return call
    spec = importlib.util.spec_from_file_location("search_r1_like_utils", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(url, queries, topk):
        text, metadata = module.perform_single_search_batch(url, queries, topk)
        assert metadata["status"] == "success", metadata
        # What its policy is shown is made of the same answer.
        assert all(f"word{q.split('word')[1]}" in json.loads(text)["result"] for q in queries)
        return metadata["api_response"]["result"]

    return call


def skyrl_client(folder):
    if folder is None:

        def ask(url, query):
            body = {"query": query, "topk": 3, "return_scores": True}
            return requests.post(url, json=body, timeout=30).json()["result"][0][0]["document"]["contents"].strip()

        return ask
    sys.path.insert(0, folder)
    from skyrl_gym.tools.search import SearchToolGroup

    def ask(url, query):
        answer = json.loads(SearchToolGroup(search_url=url, topk=3, log_requests=False).search(query))
        return answer["result"].removeprefix("Doc 1: ")

    return ask


async def openrlhf_step(url, action):
    """`step` of an agent: an action in, what it is answered with out."""
    query = action.split("<search>")[1].split("</search>")[0].strip()
    body = {"queries": [query], "topk": 3, "return_scores": True}
    response = await asyncio.to_thread(requests.post, url, json=body, timeout=30)
    found = [text for _, text in passages_of(response.json()["result"][0])]
    return {"rewards": 0.0, "environment_feedback": f"\n<information>{found}</information>\n", "done": False}


def check(url):
    verl, skyrl = verl_client(*sys.argv[1:2] or [None]), skyrl_client(*sys.argv[2:3] or [None])

    def as_verl(i):
        numbers = [(i * 31 + k) % COUNT for k in range(4)]
        found = verl(url, [f"word{n}x" for n in numbers], 3)
        got = [list(passages_of(each)) for each in found]
        # Every other document has no title, and then none is read out of its text.
        return got == [[('"Title"' if n % 2 else "", f"Only here stands word{n}x.\nSecond line.")] for n in numbers]

    def as_skyrl(i):
        text = f"Only here stands word{i}x.\nSecond line."
        return skyrl(url, f" word{i}x ").strip() == (f'"Title"\n{text}' if i % 2 else text)

    async def as_openrlhf(i):
        answer = await openrlhf_step(url, f"I look. <search> word{i}x </search>")
        return f"stands word{i}x." in answer["environment_feedback"]

    async def all_openrlhf():
        return await asyncio.gather(*(as_openrlhf(i) for i in range(500)))

    with ThreadPoolExecutor(CLIENTS) as pool:
        for name, right in (
            ("verl", list(pool.map(as_verl, range(500)))),
            ("SkyRL", list(pool.map(as_skyrl, range(500)))),
            ("OpenRLHF", asyncio.run(all_openrlhf())),
        ):
            assert all(right), f"{name}: {right.count(False)} of {len(right)} requests have another's documents"
            print(f"{name}: {len(right)} requests, each with its own documents")
    # What they may meet: a server that refuses is told apart from one that fails, so that they do not ask again for ever.
    assert requests.post(url, json={"queries": "no list"}, timeout=30).status_code == 400


with tempfile.TemporaryDirectory() as folder:
    corpus = Path(folder) / "corpus.jsonl"
    with open(corpus, "w") as file:
        for n in range(COUNT):
            title = {"title": "Title"} if n % 2 else {}
            file.write(json.dumps({"id": str(n), **title, "text": f"Only here stands word{n}x.\nSecond line."}) + "\n")
    command = ["node", str(ROOT / "dist/cli/main.js"), "serve", "--corpus", str(corpus), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        check(f"{server.stdout.readline().strip()}/retrieve")
    finally:
        server.terminate()
        server.wait(60)
