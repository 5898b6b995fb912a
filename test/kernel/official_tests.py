"""Jupyter's own tests of a kernel (jupyter_kernel_test), with this kernel's samples. Run by official.test.ts."""

import unittest

import jupyter_kernel_test


class ZerosearchKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "zerosearch"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [
        {"text": "JSON.str", "matches": {"stringify"}},
        {"text": "Mat", "matches": {"Math"}},
        {"text": "[1].flatM", "matches": {"flatMap"}},
    ]
    complete_code_samples = ["1", "let a = 1", "function f() { return 1 }", "`a`", "interface I { a: number }"]
    incomplete_code_samples = ["function f() {", "[1,", "`abc", "/* a", "if (a) {", "foo("]
    invalid_code_samples = ["let = = 3", "a b c", "}"]
    code_page_something = "Jupyter.page('hello')"
    code_generate_error = "throw new Error('x')"
    code_execute_result = [{"code": "1+2", "result": "3"}, {"code": "'a'", "result": "'a'"}]
    code_display_data = [{"code": "Jupyter.display({'text/html': '<b>x</b>'}, {raw: true})", "mime": "text/html"}]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "JSON.stringify"
    code_clear_output = "Jupyter.clearOutput()"


if __name__ == "__main__":
    unittest.main(verbosity=2)
