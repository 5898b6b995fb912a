"""Executes a notebook in the project's kernel, with progress, and leaves it and an HTML page.

Usage: python run_notebook.py NOTEBOOK OUTPUT_FOLDER
"""

import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter


class Progress(NotebookClient):
    """Says which cell runs, and how long each took."""

    async def async_execute_cell(self, cell, cell_index, **arguments):
        code = [c for c in self.nb.cells if c.cell_type == "code"]
        if cell.cell_type != "code":
            return await super().async_execute_cell(cell, cell_index, **arguments)
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        label = f"cell {code.index(cell) + 1}/{len(code)}  {first[:70]}"
        print(f"… {label}", flush=True)
        started = time.monotonic()
        result = await super().async_execute_cell(cell, cell_index, **arguments)
        print(f"✓ {label}  ({time.monotonic() - started:.1f} s)", flush=True)
        return result


def main(path: pathlib.Path, out: pathlib.Path) -> int:
    notebook = nbformat.read(path, as_version=4)
    out.mkdir(parents=True, exist_ok=True)
    client = Progress(notebook, kernel_name="zerosearch", timeout=3600, resources={"metadata": {"path": str(path.parent)}})
    failed = False
    try:
        client.execute()
    except CellExecutionError as error:
        print(f"✗ {error}", file=sys.stderr)
        failed = True
    executed = out / path.name
    nbformat.write(notebook, executed)
    page = executed.with_suffix(".html")
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0])
    print(f"executed notebook: {executed}\nHTML page:         {page}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
