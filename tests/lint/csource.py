"""C read well enough for a linter: functions with their lengths, nesting and parameters; includes;
string literals. Comments, strings and preprocessor lines are blanked, then braces are matched."""
import re
from dataclasses import dataclass

TOKEN = re.compile(r"[A-Za-z_]\w*|[{}()\[\];,=:]|[^\s\w]")
LIBRARY = re.compile(r"(nghttp2|sqlite3|wslay|http_parser|ev)_|SSL|X509|EVP|AV[A-Z]|G(st|Object)")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
NOT_COMMENT_NOR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.M)


@dataclass
class Function:
    name: str
    line: int
    lines: int
    nesting: int
    parameters: int
    is_librarys: bool  # a callback: a library dictates what it takes


@dataclass
class Token:
    text: str
    line: int


def _blank(match):
    """The match as white space, so that lines keep their numbers; strings stay as ""."""
    text = match.group(0)
    kept = '""' if text[0] == '"' else "0" if text[0] == "'" else " "
    return kept + "\n" * text.count("\n")


def code_only(text):
    return DIRECTIVE.sub(lambda m: "\n" * m.group(0).count("\n"),
                         NOT_COMMENT_NOR_STRING.sub(_blank, text))


def includes(text):
    """(line, is_system, path) of each #include."""
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1) == "<", match.group(2)


def without_comments(text):
    def blank(match):
        return match.group(0) if match.group(0)[0] in "\"'" else _blank(match)
    return NOT_COMMENT_NOR_STRING.sub(blank, text)


def literals(text):
    """(line, contents) of each string literal, neighbours joined as the compiler would."""
    text = without_comments(text)
    pattern = re.compile(r'"((?:\\.|[^"\\\n])*)"((?:\s*(?:PRI[a-zA-Z0-9]+\s*)?"(?:\\.|[^"\\\n])*")*)')
    for match in pattern.finditer(text):
        whole = match.group(1) + "".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', match.group(2)))
        yield text.count("\n", 0, match.start()) + 1, whole


def tokens(text):
    line = 1
    for raw in code_only(text).split("\n"):
        for match in TOKEN.finditer(raw):
            yield Token(match.group(0), line)
        line += 1


def _opening(toks, close):
    """The index of the parenthesis that toks[close] closes."""
    depth = 0
    for i in range(close, -1, -1):
        if toks[i].text == ")":
            depth += 1
        elif toks[i].text == "(":
            depth -= 1
            if depth == 0:
                return i
    return 0


def _opens_block(toks, i):
    """Whether the brace at i opens statements, rather than a list of values or fields."""
    before = toks[i - 1].text if i else ";"
    if before in (";", "}", ":", "else", "do"):
        return True
    if before != ")":
        return False
    head = toks[_opening(toks, i - 1) - 1].text
    return bool(re.match(r"[A-Za-z_]", head)) and head not in ("return", "sizeof")


def _deepest(toks, start, end):
    """How deep statements nest in the body toks[start..end], the body itself not counted."""
    stack, deepest = [True], 0
    for i in range(start + 1, end):
        if toks[i].text == "{":
            inherits = toks[i - 1].text == "{"
            stack.append(stack[-1] if inherits else _opens_block(toks, i))
            deepest = max(deepest, sum(stack) - 1)
        elif toks[i].text == "}":
            stack.pop()
    return deepest


def _parameters(toks, start, end):
    """How many parameters are between the parentheses at start and end."""
    if end - start <= 1 or (end - start == 2 and toks[start + 1].text == "void"):
        return 0
    depth, count = 0, 1
    for tok in toks[start + 1:end]:
        depth += (tok.text in "([{") - (tok.text in ")]}")
        count += tok.text == "," and depth == 0
    return count


def _match(toks, start):
    depth = 0
    for i in range(start, len(toks)):
        depth += (toks[i].text == "{") - (toks[i].text == "}")
        if depth == 0:
            return i
    return len(toks) - 1


def _head(toks, first, brace):
    """(name index, parameters' opening, closing) if toks[first:brace] is a function's head."""
    depth = 0
    for tok in toks[first:brace]:
        depth += (tok.text in "([") - (tok.text in ")]")
        if tok.text == "=" and depth == 0:
            return None
    close = brace - 1
    while close > first and toks[close].text == ")":
        opening = _opening(toks, close)
        if opening <= first:
            return None
        if toks[opening - 1].text not in ("__attribute__", "(", ")"):
            return opening - 1, opening, close
        close = opening - 2
    return None


def _signature_start(toks, first, name):
    """Past macros such as LIST_HEAD(x) that need no semicolon: the line of the return type."""
    start = first
    for i in range(first, name):
        if toks[i].text == ")" and i + 1 < name and toks[i + 1].text not in (")", "(", "*"):
            start = i + 1
    return start


def functions(text):
    toks = list(tokens(text))
    first = i = 0
    while i < len(toks):
        if toks[i].text == ";":
            first = i + 1
        elif toks[i].text == "{":
            end = _match(toks, i)
            head = _head(toks, first, i)
            if head:
                name, opening, close = head
                line = toks[_signature_start(toks, first, name)].line
                yield Function(toks[name].text, line, toks[end].line - line + 1,
                               _deepest(toks, i, end), _parameters(toks, opening, close),
                               any(LIBRARY.match(tok.text) for tok in toks[opening:close]))
                first = end + 1
            i = end
        i += 1
