// Runs a Python program in Pyodide: `node pyodide.mjs PROGRAM ARGUMENT…`. This machine's files are below `/host`.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const RUN = `
import sys, traceback
sys.argv = [program, *arguments]
try:
    exec(compile(source, program, "exec"), {"__name__": "__main__", "__file__": program})
    status = 0
except SystemExit as error:
    if isinstance(error.code, str):
        print(error.code, file=sys.stderr)
    status = error.code if isinstance(error.code, int) else int(error.code is not None)
except BaseException:
    traceback.print_exc()
    status = 1
sys.stdout.flush()
sys.stderr.flush()
status
`;

const [program, ...rest] = process.argv.slice(2);
const { PATH, ...variables } = process.env;
const python = await loadPyodide({ env: { HOME: "/home/pyodide", ...variables } });
python.FS.mkdir("/host");
python.mountNodeFS("/host", "/");
const globals = python.toPy({ source: readFileSync(program, "utf-8"), program, arguments: rest });
process.exitCode = python.runPython(RUN, { globals });
