"""The linter's own tests: each gate must be able to fail."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402
import layers  # noqa: E402
import sizes  # noqa: E402
import words  # noqa: E402


def function(text):
    return list(csource.functions(text))


def complaints(check, path, text, others=()):
    files = {path: text, **dict.fromkeys(others, "")}
    return list(check(files, files.get))


def test_a_function_is_measured_from_its_type_to_its_brace():
    [found] = function('#define X {\n\nstatic int\nf(int a, char *(*b)(int, int))\n{\n'
                       '    return "}"[0]; /* } */\n}\n')
    assert (found.name, found.line, found.lines, found.parameters) == ("f", 3, 5, 2)


def test_void_is_no_parameter_and_initialisers_do_not_nest():
    [found] = function("int f(void)\n{\n struct a b[] = {{1}, {2}};\n g((struct a){1});\n"
                       " return 0;\n}\n")
    assert (found.parameters, found.nesting) == (0, 0)


def test_blocks_nest_through_macros_else_and_switch():
    [found] = function("int f(void)\n{\n for (;;) {\n  if (a) {\n  } else {\n   list_for_each(x) {\n"
                       "    switch (b) {\n    case 1: c((int[]){1});\n    }\n   }\n  }\n }\n}\n")
    assert found.nesting == 4


def test_tables_and_structs_are_no_functions():
    assert not function("struct a { int (*f)(int); };\nstatic const struct a b[] = {{f}, {g}};\n"
                        "enum { A = SIZE(1) };\n")


def test_a_macro_before_a_function_is_not_part_of_it():
    [found] = function("G_DEFINE_TYPE(A, b, C)\n\nstatic void f(void)\n{\n}\n")
    assert (found.name, found.line, found.lines) == ("f", 3, 3)


def sizes_of(path, text, exceptions=""):
    files = {path: text, sizes.EXCEPTIONS: exceptions}
    return [line for line in sizes.check(files, files.get) if "may only shrink" not in line]


def test_each_gate_on_size_fails_just_above_it():
    def body(lines):
        return "int f(void)\n{\n" + "    a();\n" * lines + "}\n"
    assert not sizes_of("media/a.c", body(77))
    assert "function 81" in sizes_of("media/a.c", body(78))[0]
    assert not sizes_of("media/a.h", "\n" * 150)
    assert "header 151" in sizes_of("media/a.h", "\n" * 151)[0]
    assert "file 801" in sizes_of("media/a.c", "\n" * 801)[0]
    assert "parameters 6" in sizes_of("a.c", "int f(int a,int b,int c,int d,int e,int g)\n{}\n")[0]
    assert not sizes_of("a.c", "int f(int a,int b,int c,int d,int e,nghttp2_nv *g)\n{}\n")


def test_an_exception_is_exact_and_goes_when_it_is_not_needed():
    long = "\n" * 810
    assert not sizes_of("media/a.c", long, "file media/a.c 810\n")
    assert "exception says 805" in sizes_of("media/a.c", long, "file media/a.c 805\n")[0]
    assert "needed no more" in sizes_of("media/a.c", "\n", "file media/a.c 810\n")[0]


def test_an_include_may_only_point_down():
    def check(path, included, target):
        return complaints(layers.check, path, f'#include "{included}"\n', [target])
    assert not check("egress/hls/a.c", "media/feed.h", "media/feed.h")
    assert not check("server/a.c", "egress/hls/hls.h", "egress/hls/hls.h")
    assert not check("egress/all.c", "egress/hls/hls.h", "egress/hls/hls.h")
    assert not check("tests/unit/a.c", "server/relay.h", "server/relay.h")
    assert check("egress/hls/a.c", "egress/rtsp/wire.h", "egress/rtsp/wire.h")
    assert check("egress/hls/a.c", "auth/auth.h", "auth/auth.h")
    assert check("media/a.c", "net/conn.h", "lib/net/conn.h")
    assert check("lib/base/a.c", "../net/conn.h", "lib/net/conn.h")


def test_a_library_is_seen_only_where_it_lives():
    def check(path, included):
        return complaints(layers.check, path, f"#include <{included}>\n")
    assert not check("lib/base/loop.c", "ev.h")
    assert not check("db/query.c", "sqlite3.h")
    assert check("lib/base/log.c", "ev.h")
    assert check("server/relay.c", "sqlite3.h")
    assert check("agent/main.c", "openssl/ssl.h")


def test_sql_made_of_pieces_is_refused():
    def check(text):
        return complaints(words.check_sql, "db/a.c", text)
    assert not check('q(db, "SELECT a FROM b"\n "  WHERE c LIKE ?");')
    assert check('snprintf(t, n, "SELECT a FROM b"\n "  WHERE c = \'%s\'", x);')
    assert check('snprintf(t, n, "DELETE FROM b WHERE c = %" PRIu64 "x", x);')
    assert check("sqlite3_mprintf(x);")
    assert check("sqlite3_exec(db, a(b), 0);")


def test_a_folder_of_code_has_a_readme():
    assert complaints(words.check_readmes, "media/a.c", "")
    assert not complaints(words.check_readmes, "media/README.md", "\n" * 12, ["media/a.c"])
