// Loaded before anything else in the kernel's process.
// tfjs-node 4.22 calls a function of node:util that Node 23 removed.
const util = require('node:util')
util.isNullOrUndefined ??= (value) => value === null || value === undefined
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
