#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/option.h"

static const struct option rows[] = {
    {"rtsp-port", OPTION_INT, "8554", 1, 65535, NULL, false, "The port of RTSP."},
    {"audio", OPTION_BOOL, "true", 0, 0, NULL, true, "Whether sound is relayed."},
    {"linger", OPTION_DURATION, "15s", 0, 3600000000, NULL, true, "How long a pull goes on."},
    {"memory", OPTION_SIZE, "64M", 1024, 1LL << 40, NULL, false, "The most memory of a feed."},
    {"public-host", OPTION_TEXT, "", 0, 0, NULL, true, "The name viewers use."},
    {"listen", OPTION_LIST, "", 0, 0, NULL, true, "Where to listen."},
    {"log", OPTION_CHOICE, "text", 0, 0, "text json", true, "The form of the log."},
    {.name = NULL},
};

static struct options *begin(void)
{
    struct options *options;

    assert_int_equal(options_new(&options), 0);
    assert_int_equal(options_add(options, rows), 0);
    return options;
}

static void every_row_begins_with_its_default(void **state)
{
    struct options *options = begin();

    (void)state;
    assert_int_equal(option_int(options, "rtsp-port"), 8554);
    assert_true(option_bool(options, "audio"));
    assert_int_equal(option_int(options, "linger"), 15000000);
    assert_int_equal(option_int(options, "memory"), 64 << 20);
    assert_string_equal(option_text(options, "public-host"), "");
    assert_int_equal(option_count(options, "listen"), 0);
    assert_null(option_item(options, "listen", 0));
    assert_string_equal(option_text(options, "log"), "text");
    options_free(options);
    options_free(NULL);
}

static void a_name_stands_in_one_table_only(void **state)
{
    struct options *options = begin();

    (void)state;
    assert_int_equal(options_add(options, rows), -ERR_EXISTS);
    options_free(options);
}

/* Reads the text as a file. */
static int read_text(struct options *options, const char *text, struct option_error *error)
{
    char path[] = "/tmp/culvert-option-XXXXXX";
    int fd = mkstemp(path), err;
    size_t len = strlen(text);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    err = options_read_file(options, path, error);
    unlink(path);
    return err;
}

static void a_file_sets_what_it_names(void **state)
{
    struct options *options = begin();
    struct option_error error;

    (void)state;
    assert_int_equal(read_text(options,
                               "# comment\n"
                               "\n"
                               "rtsp-port = 554\n"
                               "  audio=no # comment\n"
                               "linger = 2m\r\n"
                               "memory\t=\t1G\n"
                               "public-host = \"relay # one \\\"x\\\\\"  # comment\n"
                               "listen = 0.0.0.0:443\n"
                               "listen = [::]:443#x\n"
                               "log = json",
                               &error),
                     0);
    assert_int_equal(option_int(options, "rtsp-port"), 554);
    assert_false(option_bool(options, "audio"));
    assert_int_equal(option_int(options, "linger"), 120000000);
    assert_int_equal(option_int(options, "memory"), 1 << 30);
    assert_string_equal(option_text(options, "public-host"), "relay # one \"x\\");
    assert_int_equal(option_count(options, "listen"), 2);
    assert_string_equal(option_item(options, "listen", 0), "0.0.0.0:443");
    assert_string_equal(option_item(options, "listen", 1), "[::]:443#x");
    assert_string_equal(option_text(options, "log"), "json");
    options_free(options);
}

static void a_bad_line_is_named_and_nothing_of_the_file_counts(void **state)
{
    static const struct {
        const char *text, *line, *word;
    } cases[] = {
        {"rtsp-port = 1\nrtsp-prot = 5\n", ":2: ", "rtsp-prot"},
        {"rtsp-port = 1\nrtsp-port = 0\n", ":2: ", "from 1 to 65535"},
        {"rtsp-port = 1\nrtsp-port = 65536\n", ":2: ", "rtsp-port"},
        {"rtsp-port = 1\nrtsp-port = 80x\n", ":2: ", "rtsp-port"},
        {"rtsp-port = 1\nrtsp-port = -1\n", ":2: ", "rtsp-port"},
        {"rtsp-port = 1\nrtsp-port = 99999999999999999999\n", ":2: ", "rtsp-port"},
        {"rtsp-port = 1\nrtsp-port\n", ":2: ", "rtsp-port = VALUE"},
        {"rtsp-port = 1\nrtsp-port 5\n", ":2: ", "rtsp-port = VALUE"},
        {"rtsp-port = 1\nrtsp-port =\n", ":2: ", "rtsp-port"},
        {"rtsp-port = 1\n= 5\n", ":2: ", "no option"},
        {"rtsp-port = 1\naudio = maybe\n", ":2: ", "true or false"},
        {"rtsp-port = 1\nlinger = 5\n", ":2: ", "500ms"},
        {"rtsp-port = 1\nlinger = 2h\n", ":2: ", "linger"},
        {"rtsp-port = 1\nlinger = 5 s\n", ":2: ", "linger"},
        {"rtsp-port = 1\nmemory = 9999999999999999G\n", ":2: ", "memory"},
        {"rtsp-port = 1\nmemory = 1023\n", ":2: ", "memory"},
        {"rtsp-port = 1\nlog = tex\n", ":2: ", "text json"},
        {"rtsp-port = 1\nlog = \n", ":2: ", "text json"},
        {"rtsp-port = 1\nlog = text json\n", ":2: ", "text json"},
        {"rtsp-port = 1\npublic-host = \"x\n", ":2: ", "quote"},
        {"rtsp-port = 1\npublic-host = \"x\" y\n", ":2: ", "quote"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct options *options = begin();
        struct option_error error = {.text = ""};

        assert_true(read_text(options, cases[i].text, &error) < 0);
        if (!strstr(error.text, cases[i].line) || !strstr(error.text, cases[i].word))
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_int_equal(option_int(options, "rtsp-port"), 8554);
        options_free(options);
    }
}

static void a_file_that_is_missing_or_too_wide_is_refused(void **state)
{
    struct options *options = begin();
    struct option_error error;
    static char text[9000];

    (void)state;
    assert_int_equal(options_read_file(options, "/nonexistent/culvert.conf", &error), -ENOENT);
    assert_non_null(strstr(error.text, "/nonexistent/culvert.conf"));
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "public-host = ", 14);
    assert_int_equal(read_text(options, text, &error), -ERR_TOO_LONG);
    text[14 + 4097] = '\0';
    assert_int_equal(read_text(options, text, &error), -ERR_TOO_LONG);
    text[14 + 4096] = '\0';
    assert_int_equal(read_text(options, text, &error), 0);
    options_free(options);
}

static void the_environment_comes_over_the_file(void **state)
{
    struct options *options = begin();
    struct option_error error;

    (void)state;
    assert_int_equal(read_text(options, "rtsp-port = 1\nlisten = a\nlisten = b\n", &error), 0);
    setenv("OPTIONTEST_RTSP_PORT", "2", 1);
    setenv("OPTIONTEST_LISTEN", "c", 1);
    setenv("OPTIONTESTER", "nothing of ours", 1);
    assert_int_equal(options_read_environment(options, "OPTIONTEST_", &error), 0);
    assert_int_equal(option_int(options, "rtsp-port"), 2);
    assert_int_equal(option_count(options, "listen"), 1);
    assert_string_equal(option_item(options, "listen", 0), "c");
    assert_int_equal(options_read_environment(options, "OPTIONTEST", &error), 0);
    setenv("OPTIONTEST_RTSP_PROT", "2", 1);
    assert_int_equal(options_read_environment(options, "OPTIONTEST_", &error), -ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "OPTIONTEST_RTSP_PROT"));
    unsetenv("OPTIONTEST_RTSP_PROT");
    unsetenv("OPTIONTEST_RTSP_PORT");
    unsetenv("OPTIONTEST_LISTEN");
    options_free(options);
}

static int read_words(struct options *options, char **words, struct option_error *error)
{
    int count = 0;

    while (words[count])
        count++;
    return options_read_flags(options, count, words, error);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define W(text) ((char[]){text})

static void flags_are_taken_and_words_are_left(void **state)
{
    struct options *options = begin();
    struct option_error error;
    char **words =
        WORDS(W("serve"), W("--rtsp-port"), W("7"), W("one"), W("--linger=3s"), W("--no-audio"),
              W("--listen"), W("x"), W("--listen=y=z"), W("-v"), W("--"), W("--log"));

    (void)state;
    assert_int_equal(read_words(options, words, &error), 4);
    assert_string_equal(words[0], "serve");
    assert_string_equal(words[1], "one");
    assert_string_equal(words[2], "-v");
    assert_string_equal(words[3], "--log");
    assert_int_equal(option_int(options, "rtsp-port"), 7);
    assert_int_equal(option_int(options, "linger"), 3000000);
    assert_false(option_bool(options, "audio"));
    assert_int_equal(option_count(options, "listen"), 2);
    assert_string_equal(option_item(options, "listen", 1), "y=z");
    words = WORDS(W("--audio"));
    assert_int_equal(read_words(options, words, &error), 0);
    assert_true(option_bool(options, "audio"));
    options_free(options);
}

static void bad_flags_are_named_and_none_counts(void **state)
{
    char *cases[][3] = {
        {W("--rtsp-prot"), W("5"), NULL},  {W("--rtsp-port"), NULL, NULL},
        {W("--rtsp-port=x"), NULL, NULL},  {W("--no-rtsp-port"), NULL, NULL},
        {W("--no-audio=yes"), NULL, NULL}, {W("--audio=5x"), NULL, NULL},
        {W("--=5"), NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *first = cases[i][0];
        struct options *options = begin();
        struct option_error error = {.text = ""};
        char **words = WORDS(W("--log=json"), cases[i][0], cases[i][1]);

        assert_true(read_words(options, words, &error) < 0);
        if (strncmp(error.text, first, strcspn(first, "=")) != 0)
            fail_msg("%s: %s", first, error.text);
        assert_string_equal(option_text(options, "log"), "text");
        options_free(options);
    }
}

static void a_value_that_is_secret_is_not_in_the_error(void **state)
{
    struct options *options = begin();
    struct option_error error;
    char **words = WORDS(W("--rtsp-port=hunter2"));

    (void)state;
    assert_true(read_words(options, words, &error) < 0);
    assert_null(strstr(error.text, "hunter2"));
    options_free(options);
}

static void a_login_in_a_url_is_not_printed(void **state)
{
    static const struct option url_rows[] = {{"proxy", OPTION_URL, "", 0, 0, NULL, false, "A URL."},
                                             {.name = NULL}};
    static const struct {
        const char *given, *printed;
    } cases[] = {
        {"http://who:se@cret@h:1", "proxy = \"http://***@h:1\" # --proxy\n"},
        {"who:se://cret@h:1", "proxy = \"***@h:1\" # --proxy\n"},
        {"socks://who:secret@h:1", "proxy = \"***@h:1\" # --proxy\n"},
        {"http://h:1", "proxy = \"http://h:1\" # --proxy\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char flag[] = "--proxy", given[64], *argv[] = {flag, given}, printed[128] = "";
        FILE *out = fmemopen(printed, sizeof(printed), "w");
        struct option_error error;
        struct options *options;

        snprintf(given, sizeof(given), "%s", cases[i].given);
        assert_int_equal(options_new(&options), 0);
        assert_int_equal(options_add(options, url_rows), 0);
        assert_int_equal(options_read_flags(options, 2, argv, &error), 0);
        assert_string_equal(option_text(options, "proxy"), cases[i].given);
        options_print(options, out);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(printed, cases[i].printed);
        options_free(options);
    }
}

static void what_is_printed_is_read_back(void **state)
{
    struct options *options = begin(), *again = begin();
    char **words = WORDS(W("--public-host=a \"b\\ # c"), W("--linger=90s"), W("--memory=3k"),
                         W("--listen=x"), W("--listen=y"), W("--log=json"), W("--no-audio"));
    struct option_error error;
    char *text, *second;
    size_t len;
    FILE *out;

    (void)state;
    assert_int_equal(read_words(options, words, &error), 0);
    out = open_memstream(&text, &len);
    options_print(options, out);
    fclose(out);
    assert_non_null(strstr(text, "rtsp-port = 8554 # the default\n"));
    assert_non_null(strstr(text, "linger = 90s # --linger\n"));
    assert_non_null(strstr(text, "memory = 3"));
    assert_int_equal(read_text(again, text, &error), 0);
    assert_string_equal(option_text(again, "public-host"), "a \"b\\ # c");
    assert_int_equal(option_int(again, "memory"), 3072);
    assert_int_equal(option_int(again, "linger"), 90000000);
    assert_int_equal(option_count(again, "listen"), 2);
    out = open_memstream(&second, &len);
    options_print_help(again, out);
    fclose(out);
    for (const struct option *row = rows; row->name; row++)
        assert_non_null(strstr(second, row->help));
    free(text);
    free(second);
    options_free(options);
    options_free(again);
}

static char changes[256];

static void on_change(void *owner, const char *name, bool was_taken)
{
    size_t len = strlen(changes);

    assert_ptr_equal(owner, changes);
    snprintf(changes + len, sizeof(changes) - len, "%s%s ", name, was_taken ? "" : "!");
}

static void a_reload_takes_what_it_may_and_tells_the_rest(void **state)
{
    struct options *options = begin(), *fresh = begin();
    char **words = WORDS(W("--rtsp-port=1"), W("--linger=1s"), W("--listen=a"), W("--log=text"));
    struct option_error error;

    (void)state;
    assert_int_equal(read_words(fresh, words, &error), 0);
    changes[0] = '\0';
    options_reload(options, fresh, on_change, changes);
    assert_string_equal(changes, "rtsp-port! linger listen ");
    assert_int_equal(option_int(options, "rtsp-port"), 8554);
    assert_int_equal(option_int(options, "linger"), 1000000);
    assert_string_equal(option_item(options, "listen", 0), "a");
    options_free(fresh);
    assert_string_equal(option_item(options, "listen", 0), "a");
    options_free(options);
}

static void too_many_items_are_refused(void **state)
{
    struct options *options = begin();
    struct option_error error;
    char *words[1026], item[] = "--listen=x";

    (void)state;
    for (size_t i = 0; i < 1025; i++)
        words[i] = item;
    words[1025] = NULL;
    assert_true(read_words(options, words, &error) < 0);
    assert_int_equal(option_count(options, "listen"), 0);
    options_free(options);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_begins_with_its_default),
        cmocka_unit_test(a_name_stands_in_one_table_only),
        cmocka_unit_test(a_file_sets_what_it_names),
        cmocka_unit_test(a_bad_line_is_named_and_nothing_of_the_file_counts),
        cmocka_unit_test(a_file_that_is_missing_or_too_wide_is_refused),
        cmocka_unit_test(the_environment_comes_over_the_file),
        cmocka_unit_test(flags_are_taken_and_words_are_left),
        cmocka_unit_test(bad_flags_are_named_and_none_counts),
        cmocka_unit_test(a_value_that_is_secret_is_not_in_the_error),
        cmocka_unit_test(what_is_printed_is_read_back),
        cmocka_unit_test(a_login_in_a_url_is_not_printed),
        cmocka_unit_test(a_reload_takes_what_it_may_and_tells_the_rest),
        cmocka_unit_test(too_many_items_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
