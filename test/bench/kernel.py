"""npm run bench:kernel [-- --write]: this kernel beside ipykernel, stock tslab and deno's, in one run.

What is timed is done by one kernel after the other within each round, so that a busy machine is busy for all of them. Prints
a table; --write adds it to KERNEL.md. Makes a virtual environment of its own in .cache/.
"""

import json
import os
import platform
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".cache" / "kernel-bench"
PACKAGES = ["jupyter_client==8.10.0", "ipykernel==7.4.0", "deno==2.9.8"]

if Path(sys.prefix) != VENV:
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    python = VENV / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *PACKAGES]
    subprocess.run(pip, check=True)
    os.execv(python, [python, *sys.argv])

from jupyter_client import KernelManager  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402

STARTS, REQUESTS, CELLS, INTERRUPTS, LINES = 7, 100, (50, 200, 500), 3, 30_000
PATIENCE, IDLE_PATIENCE, INTERRUPT_PATIENCE = 60, 4, 8  # seconds

TYPESCRIPT = {
    "declare": "const v{i} = {i}; function f{i}(x: number) {{ return x + v{i} }}",
    "print": f"for (let i = 0; i < {LINES}; i++) console.log(i)",
    "loop": "while (true) {}",
    "awaited": "await new Promise((resolve) => setTimeout(resolve, 10)); while (true) {}",
}
PYTHON = {
    "declare": "v{i} = {i}\ndef f{i}(x): return x + v{i}",
    "print": f"for i in range({LINES}): print(i)",
    "loop": "while True: pass",
    "awaited": "import asyncio; await asyncio.sleep(0.01)\nwhile True: pass",
}
KERNELS = {"zerosearch": TYPESCRIPT, "ipykernel": PYTHON, "tslab": TYPESCRIPT, "deno": TYPESCRIPT}


def install(folder):
    """The kernelspecs: this project's as its own command writes it, the others as theirs say."""
    node = shutil.which("node")
    command = [node, ROOT / "dist" / "cli" / "main.js", "kernel", "install", "--prefix", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    argv = {
        "ipykernel": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "tslab": [node, str(ROOT / "node_modules/.bin/tslab"), "kernel", "--config-path", "{connection_file}"],
        "deno": [str(VENV / "bin" / "deno"), "jupyter", "--kernel", "--conn", "{connection_file}"],
    }
    specs = folder / "share" / "jupyter" / "kernels"
    for name, command in argv.items():
        (specs / name).mkdir()
        spec = {"argv": command, "display_name": name, "language": name}
        (specs / name / "kernel.json").write_text(json.dumps(spec))
    return KernelSpecManager(kernel_dirs=[str(specs)])


class Kernel:
    """A running kernel, and a client of it."""

    def __init__(self, name, specs, folder):
        self.code = KERNELS[name]
        self.lost = 0  # cells of which nobody heard that they were done
        self.manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
        started = time.perf_counter()
        self.manager.start_kernel(cwd=folder)
        self.client = self.manager.client()
        self.client.start_channels()
        self.nudge()
        self.execute("1+1")
        self.first_result = time.perf_counter() - started

    def nudge(self):
        """As Jupyter's server: asks until an answer is published, for what is published before one listens is lost."""
        for _ in range(int(PATIENCE / 0.05)):
            self.client.kernel_info()
            try:
                return self.client.get_iopub_msg(timeout=0.05)
            except queue.Empty:
                continue
        raise TimeoutError(f"{self.manager.kernel_name} did not start")

    def execute(self, code):
        """Runs code; what it published, and the seconds until it was answered for and idle, None where idle was not heard of."""
        started = time.perf_counter()
        published, idle = self.wait(self.client.execute(code))
        for message in published:
            if message["msg_type"] == "error" or message["content"].get("name") == "stderr":
                raise RuntimeError(f"{self.manager.kernel_name}: {code}: {message['content']}")
        return published, time.perf_counter() - started if idle else None

    def wait(self, request, patience=PATIENCE):
        while self.client.get_shell_msg(timeout=patience)["parent_header"].get("msg_id") != request:
            pass
        published = []
        try:
            while True:
                message = self.client.get_iopub_msg(timeout=IDLE_PATIENCE)
                if message["parent_header"].get("msg_id") != request:
                    continue
                published.append(message)
                if message["content"].get("execution_state") == "idle":
                    return published, True
        except queue.Empty:
            self.lost += 1
            return published, False

    def memory(self):
        """Resident bytes of the kernel's processes."""
        processes = [self.manager.provisioner.pid]
        for process in processes:
            processes += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        pages = sum(int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in processes)
        return pages * os.sysconf("SC_PAGE_SIZE")

    def interrupt(self, code):
        """Seconds from the stop button to the end of a cell that would not end; None where nothing stops it."""
        request = self.client.execute(code)
        time.sleep(1)
        started = time.perf_counter()
        self.manager.interrupt_kernel()
        try:
            self.wait(request, INTERRUPT_PATIENCE)
            return time.perf_counter() - started
        except queue.Empty:
            return None

    def stop(self, now=False):
        started = time.perf_counter()
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)
        return time.perf_counter() - started


def lines(published):
    return sum(m["content"]["text"].count("\n") for m in published if m["msg_type"] == "stream")


def measure(specs, folder):
    """Title, unit, goal and each kernel's figure of every measurement."""
    rows = []

    def row(title, unit, times, goal=None):
        rows.append((title, unit, goal, times))
        print(title, times, file=sys.stderr)

    def median(times):
        return {name: statistics.median(own) for name, own in times.items()}

    started, stopped = ({name: [] for name in KERNELS} for _ in range(2))
    for _ in range(STARTS):
        for name in KERNELS:
            kernel = Kernel(name, specs, folder)
            started[name].append(kernel.first_result)
            stopped[name].append(kernel.stop())
    row("start to the first result of `1+1`", "s", median(started), 2)

    kernels = {name: Kernel(name, specs, folder) for name in KERNELS}

    def one_plus_one(codes=("1+1",) * REQUESTS):
        times = {name: [] for name in KERNELS}
        for code in codes:
            for name, kernel in kernels.items():
                seconds = kernel.execute(code)[1]
                if seconds is not None:
                    times[name].append(seconds * 1000)
        return median(times)

    row("`1+1`, at the beginning", "ms", one_plus_one(), 1)
    memory = {}
    for i in range(1, CELLS[-1] + 1):
        for kernel in kernels.values():
            kernel.execute(kernel.code["declare"].format(i=i))
        if i in CELLS:
            memory[i] = {name: kernel.memory() / 1e6 for name, kernel in kernels.items()}
        if i == 200:
            row("`1+1`, after 200 cells", "ms", one_plus_one(), 1)
            row("`f7(v7)`, names of another cell each time", "ms", one_plus_one([f"f{n}(v{n})" for n in range(1, 101)]))
    for count, figures in memory.items():
        row(f"memory after {count} cells", "MB", figures)
    growth = {name: memory[CELLS[-1]][name] - memory[CELLS[0]][name] for name in KERNELS}
    row(f"memory, from {CELLS[0]} to {CELLS[-1]} cells", "MB more", growth)

    row("cells of which no idle status came", "", {name: kernel.lost for name, kernel in kernels.items()})

    printed = {name: kernel.execute(kernel.code["print"]) for name, kernel in kernels.items()}
    row(f"{LINES:,} printed lines: how many arrive", "", {name: lines(p) for name, (p, _) in printed.items()})
    row(f"{LINES:,} printed lines", "s", {name: seconds for name, (_, seconds) in printed.items()})

    for title, cell in (("a loop", "loop"), ("a loop after an await", "awaited")):
        times = {name: [] for name in KERNELS}
        for _ in range(INTERRUPTS):
            for name, kernel in kernels.items():
                if None in times[name]:
                    continue
                times[name].append(kernel.interrupt(kernel.code[cell]))
                if times[name][-1] is None:
                    kernel.stop(now=True)
                    kernels[name] = Kernel(name, specs, folder)
        stops = {name: None if None in own else statistics.median(own) for name, own in times.items()}
        row(f"stop of {title}", "s", stops)
    for kernel in kernels.values():
        kernel.stop(now=True)
    row("shutdown, as Jupyter does it", "s", median(stopped))
    return rows


def shown(value, unit):
    if value is None:
        return "never"
    return f"{value:,.2f} {unit}" if unit == "s" else f"{value:,.1f} {unit}" if unit == "ms" else f"{value:,.0f} {unit}".strip()


def table(rows):
    head = ["measured", "zerosearch", "ipykernel", "tslab", "deno", "zerosearch / ipykernel", "goal", "reached"]
    text = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for title, unit, goal, figures in rows:
        own, other = figures["zerosearch"], figures["ipykernel"]
        ratio = own / other if unit in ("s", "ms") and own is not None and other else None
        cells = [title, *(shown(figures[name], unit) for name in KERNELS), "" if ratio is None else f"{ratio:.2f}×"]
        cells += ["", ""] if goal is None else [f"≤ {goal}×", "yes" if ratio is not None and ratio <= goal else "no"]
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def versions():
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()[1:]
    tslab = json.loads((ROOT / "node_modules/tslab/package.json").read_text())["version"]
    ours = [package.replace("==", " ") for package in PACKAGES]
    return f"Node {node}, Python {platform.python_version()}, tslab {tslab}, {', '.join(ours)}, {os.cpu_count()} cores"


with tempfile.TemporaryDirectory() as folder:
    for variable in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        os.environ[variable] = f"{folder}/{variable.lower()}"
    result = table(measure(install(Path(folder)), folder))
print(result)
if "--write" in sys.argv:
    with open(ROOT / "test" / "bench" / "KERNEL.md", "a") as file:
        file.write(f"\n## {time.strftime('%Y-%m-%d')}, {versions()}\n\n{result}\n")
