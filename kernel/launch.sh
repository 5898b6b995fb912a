# sh launch.sh NODE MAIN CONNECTION_FILE: starts the kernel, from the snapshot where there is one for this Node and processor.
# sh launch.sh NODE: makes that snapshot (snapshot.cjs).
# Node does not start from a snapshot that was made by another version of it, with other options, or on a processor with other
# abilities, so the file is named after these.
node=$1
here=$(cd "$(dirname "$0")" && pwd)
processor=$(grep -m 1 -E '^(flags|Features)' /proc/cpuinfo 2>&1 | cksum)
snapshots=$here/../dist/kernel/snapshots
snapshot=$snapshots/$("$node" --version)-${processor%% *}.blob
# Each cell leaves a type checker behind; left to itself, V8 collects them when they are hundreds of megabytes.
memory=--heap-growing-percent=30

if [ $# = 1 ]; then
  rm -rf "$snapshots"
  mkdir -p "$snapshots"
  unset NODE_OPTIONS
  "$node" $memory --no-warnings --snapshot-blob "$snapshot.part" --build-snapshot "$here/snapshot.cjs" &&
    exec mv "$snapshot.part" "$snapshot"
  echo 'This Node can not make a snapshot: kernels start, but take seconds for it.' >&2
  exit 0
fi
shift
if [ -z "$NODE_OPTIONS" ] && [ -f "$snapshot" ]; then set -- "--snapshot-blob=$snapshot" "$@"; fi
# Node calls what loads modules for cells experimental; its warning would stand in the first cell of every notebook.
exec "$node" $memory --disable-warning=ExperimentalWarning --require "$here/preload.cjs" "$@"
