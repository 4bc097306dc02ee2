"""Small rules on text: no SQL made of pieces, no TODO, a README in every folder of code."""
import os
import re

import csource

SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|ATTACH)\b")
HOLE = re.compile(r"%[-+ #0]*\d*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j)?[sdiuxXcqQw]")
SQL_CALLS = re.compile(r"\bsqlite3_(mprintf|vmprintf|snprintf|get_table)\b")
PREPARE = re.compile(r"\bsqlite3_(?:prepare(?:_v[23])?|exec)\s*\(\s*[^,]+,\s*([^,]+),")
SOURCES = (".c", ".h", ".py", ".sh", ".mk", ".sql", ".proto", ".ts", ".js", "Makefile")
README_LINES = range(5, 161)


def check_sql(files, read):
    for path in files:
        if not path.endswith((".c", ".h")) or path.startswith("tests/"):
            continue
        text = read(path)
        for line, literal in csource.literals(text):
            if SQL.search(literal) and HOLE.search(literal):
                yield f"{path}:{line}: SQL with a hole: bind the value instead"
        code = csource.without_comments(text)
        for match in SQL_CALLS.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group(0)} makes SQL of pieces: bind the values instead"
        for match in PREPARE.finditer(code):
            argument = match.group(1).strip()
            if not re.fullmatch(r'"[^"]*"(\s*"[^"]*")*|[a-z_]*sql|[a-z_]+(->|\.)sql|[a-z]+', argument):
                line = code.count("\n", 0, match.start()) + 1
                yield f"{path}:{line}: SQL must be one literal, not {argument}"


def check_todo(files, read):
    for path in files:
        if path.startswith("tests/lint/") or not path.endswith(SOURCES):
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            if re.search(r"\b(TODO|FIXME)\b", line):
                yield f"{path}:{number}: {line.strip()[:80]}"


def folders_of_code(files):
    for path in files:
        folder, name = os.path.split(path)
        if not name.endswith((".c", ".h", ".py", ".proto", ".ts")):
            continue
        if folder.startswith("tests/"):
            folder = "/".join(folder.split("/")[:2])
        yield folder


def check_readmes(files, read):
    for folder in sorted(set(folders_of_code(files))):
        path = f"{folder}/README.md"
        if path not in files:
            yield f"{folder}/ has no README.md"
        elif read(path).count("\n") not in README_LINES:
            yield f"{path}: {read(path).count(chr(10))} lines; ten to forty say what a folder is"
