"""Unpacks parts of a wheel: python unpack_wheel.py WHEEL FOLDER PREFIX...

Only Python's own library: pip would install the whole wheel, and only for the Python that it was built for. Prints
`BYTES of BYTES` as it goes.
"""

import pathlib
import sys
import zipfile


def unpack(wheel: str, folder: pathlib.Path, prefixes: tuple[str, ...]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.startswith(prefixes)]
        if not entries:
            sys.exit(f"unpack_wheel: nothing in {wheel} starts with {', '.join(prefixes)}")
        total = sum(entry.file_size for entry in entries)
        done = 0
        for entry in entries:
            path = pathlib.Path(archive.extract(entry, folder))
            # zipfile drops the executable bit, which XLA's ptxas needs.
            if not entry.is_dir() and (entry.external_attr >> 16) & 0o111:
                path.chmod(0o755)
            done += entry.file_size
            if entry.file_size > 1_000_000:
                print(f"{done} of {total}", flush=True)


if __name__ == "__main__":
    unpack(sys.argv[1], pathlib.Path(sys.argv[2]), tuple(sys.argv[3:]))
