"""The gates on size: function, nesting, parameters, file, header. A named exception may only
shrink: tests/lint/exceptions holds the exact figure, and no line that HEAD does not have."""
import subprocess

import csource

GATES = {"function": 80, "nesting": 3, "parameters": 5, "file": 800, "header": 150}
EXCEPTIONS = "tests/lint/exceptions"


def parse_exceptions(text):
    """{(gate, "path" or "path:function"): figure}"""
    rows = {}
    for line in text.splitlines():
        fields = line.split("#")[0].split()
        if len(fields) == 3:
            rows[fields[0], fields[1]] = int(fields[2])
    return rows


def figures(path, text):
    """(gate, name, line, figure) of everything in a file that a gate measures."""
    lines = text.count("\n")
    is_contract = path.endswith(".h") and not path.startswith("tests/")
    yield "header" if is_contract else "file", path, 1, lines
    for function in csource.functions(text):
        name = f"{path}:{function.name}"
        yield "function", name, function.line, function.lines
        yield "nesting", name, function.line, function.nesting
        if not function.is_librarys:
            yield "parameters", name, function.line, function.parameters


def check_growth(exceptions):
    committed = subprocess.run(["git", "show", f"HEAD:{EXCEPTIONS}"], capture_output=True,
                               text=True, check=False)
    if committed.returncode != 0:
        return
    before = parse_exceptions(committed.stdout)
    for key, figure in exceptions.items():
        if figure > before.get(key, 0):
            yield f"{EXCEPTIONS}: {' '.join(key)} {figure}: exceptions may only shrink"


def check(files, read):
    exceptions = parse_exceptions(read(EXCEPTIONS))
    used = set()
    yield from check_growth(exceptions)
    for path in files:
        if not path.endswith((".c", ".h")):
            continue
        for gate, name, line, figure in figures(path, read(path)):
            allowed = exceptions.get((gate, name))
            if allowed is not None and figure > GATES[gate]:
                used.add((gate, name))
                if figure != allowed:
                    yield f"{path}:{line}: {name}: {gate} {figure}, exception says {allowed}"
            elif figure > GATES[gate]:
                yield f"{path}:{line}: {name}: {gate} {figure}, the gate is {GATES[gate]}"
    for gate, name in exceptions.keys() - used:
        yield f"{EXCEPTIONS}: {gate} {name} is needed no more: take the line out"
