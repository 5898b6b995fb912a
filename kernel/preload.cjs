// Loaded before anything else in the kernel's process.
const util = require('node:util')

// tfjs-node 4.22 calls a function of node:util that Node 23 removed.
util.isNullOrUndefined ??= (value) => value === null || value === undefined
// TensorFlow writes notes for its developers to the standard error, which a notebook would show in every cell.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
