"""Executes a notebook in the project's kernel, with progress, and leaves the executed copy and an HTML page.

Usage: python run_notebook.py NOTEBOOK OUTPUT_FOLDER
"""

import pathlib
import shutil
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary

CELL_TIMEOUT_S = 3600
# Where the output is a file or a pipe, a line of progress is written this often.
QUIET_PERIOD_S = 10


class Progress:
    """One line of the terminal for the running cell: its number, first line, seconds and last line of output."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.label, self.started, self.drawn = "", 0.0, 0.0

    def start(self, label: str) -> None:
        self.label, self.started, self.drawn = label, time.monotonic(), time.monotonic()
        self._write(f"… {label}")

    def say(self, text: str) -> None:
        now = time.monotonic()
        if now - self.drawn < (0.2 if self.live else QUIET_PERIOD_S):
            return
        self.drawn = now
        self._write(f"… {self.label} ({now - self.started:.0f} s)  {text}")

    def end(self, mark: str) -> None:
        self._write(f"{mark} {self.label} ({time.monotonic() - self.started:.1f} s)")
        if self.live:
            print(flush=True)

    def _write(self, line: str) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[2K{line[:width]}", end="", flush=True)
        else:
            print(line, flush=True)


class Runner(NotebookClient):
    """Executes the cells in order and reports each of them."""

    progress = Progress()

    async def async_execute_cell(self, cell, cell_index, **arguments):
        code = [c for c in self.nb.cells if c.cell_type == "code"]
        if cell.cell_type != "code" or not cell.source.strip():
            return await super().async_execute_cell(cell, cell_index, **arguments)
        first = next(line.strip() for line in cell.source.splitlines() if line.strip())
        number = next(i for i, c in enumerate(code) if c is cell) + 1
        self.progress.start(f"cell {number}/{len(code)}  {first[:60]}")
        try:
            result = await super().async_execute_cell(cell, cell_index, **arguments)
        except BaseException:
            self.progress.end("✗")
            raise
        self.progress.end("✓")
        return result

    def process_message(self, message, cell, cell_index):
        if message["msg_type"] == "stream":
            lines = [line for line in message["content"]["text"].replace("\r", "\n").splitlines() if line.strip()]
            if lines:
                self.progress.say(lines[-1].strip())
        return super().process_message(message, cell, cell_index)


def write_whole(path: pathlib.Path, text: str) -> None:
    """Aside, then renamed: what was there before stays good until the new one is complete."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def main(path: pathlib.Path, out: pathlib.Path) -> int:
    notebook = nbformat.read(path, as_version=4)
    out.mkdir(parents=True, exist_ok=True)
    executed = out / path.name
    client = Runner(
        notebook,
        kernel_name="zerosearch",
        timeout=CELL_TIMEOUT_S,
        startup_timeout=120,
        # One output for all that a cell prints, not one a line.
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    status = 0
    log = out / f"{path.stem}.log"
    try:
        # TensorFlow's notes to its developers go to the log, not between the lines of progress.
        with log.open("wb") as stream:
            client.execute(stderr=stream)
    except CellExecutionError as error:
        print(f"\n{error}", file=sys.stderr)
        status = 1
    except CellTimeoutError:
        print(f"\nThe cell did not end within {CELL_TIMEOUT_S} s.", file=sys.stderr)
        status = 1
    except DeadKernelError:
        words = log.read_text(errors="replace").strip().splitlines()[-8:]
        print("\nThe kernel's process ended. Its last words:", *words, sep="\n", file=sys.stderr)
        print("Too little memory is the usual cause; `npm run doctor` shows what there is.", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        status = 130
    # JupyterLab shows the HTML of notebooks that were executed here: they are signed as trusted.
    NotebookNotary().sign(notebook)
    write_whole(executed, nbformat.writes(notebook) + "\n")
    write_whole(executed.with_suffix(".html"), HTMLExporter().from_notebook_node(notebook)[0])
    print(f"\nexecuted notebook  {executed}\nHTML page          {executed.with_suffix('.html')}")
    return status


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
