/* The commands, as a person runs them, against the API. */
#include <fcntl.h>

#include "server/cli/table.h"
#include "unit/server/api_fixture.h"

struct output {
    int status;
    char out[8192], err[2048];
};

static int redirect(FILE *stream, const char *path)
{
    int saved, fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    fflush(stream);
    saved = dup(fileno(stream));
    dup2(fd, fileno(stream));
    close(fd);
    return saved;
}

static void restore(FILE *stream, int saved, const char *path, char *text, size_t room)
{
    FILE *file;
    size_t len;

    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    file = fopen(path, "r");
    len = fread(text, 1, room - 1, file);
    text[len] = 0;
    fclose(file);
}

/* words: "camera list --json", with | for a space inside of a word. */
static struct output run(struct api_fixture *fixture, const char *words)
{
    struct output output = {.status = -1};
    char copy[512], flag[160], out_path[128], err_path[128];
    char *argv[32], *rest = copy;
    int argc = 0, saved_out, saved_err;

    snprintf(copy, sizeof(copy), "%s", words);
    while ((argv[argc] = strsep(&rest, " "))) {
        for (char *at = argv[argc]; *at; at++)
            *at = *at == '|' ? ' ' : *at;
        argc++;
    }
    snprintf(flag, sizeof(flag), "--data-dir=%s", fixture->folder);
    argv[argc++] = flag;
    argv[argc] = NULL;
    fixture_path(fixture, "out", out_path);
    fixture_path(fixture, "err", err_path);
    saved_out = redirect(stdout, out_path);
    saved_err = redirect(stderr, err_path);
    output.status = cli_run(argc, argv);
    restore(stdout, saved_out, out_path, output.out, sizeof(output.out));
    restore(stderr, saved_err, err_path, output.err, sizeof(output.err));
    return output;
}

static void a_code_is_printed_alone(void **state)
{
    struct output output = run(*state, "agent code Barn|by|the|lake");

    assert_int_equal(output.status, 0);
    assert_int_equal(strncmp(output.out, "CULVERT-", 8), 0);
    assert_ptr_equal(strchr(output.out, '\n'), output.out + strlen(output.out) - 1);
}

static void a_camera_is_added_shown_set_and_removed(void **state)
{
    struct output output =
        run(*state, "camera add Shed|at|home front-door rtsp://u:canary@10.0.0.2/main "
                    "--name Front|door --always-on yes");

    assert_int_equal(output.status, 0);
    assert_non_null(strstr(output.out, "10.0.0.2/main"));
    assert_null(strstr(output.out, "canary"));
    output = run(*state, "camera show front-door");
    assert_non_null(strstr(output.out, "rtsp://relay.test:8554/front-door?token={token}"));
    output = run(*state, "camera set front-door --slug gate --sub-url rtsp://10.0.0.2/sub");
    assert_int_equal(output.status, 0);
    output = run(*state, "camera list");
    assert_non_null(strstr(output.out, "gate"));
    assert_non_null(strstr(output.out, "live"));
    assert_int_equal(run(*state, "camera remove gate").status, 0);
    output = run(*state, "camera show gate");
    assert_int_equal(output.status, 1);
    assert_string_equal(output.err, "culvert: There is no such camera.\n");
}

static void json_is_what_the_api_says(void **state)
{
    struct output output;
    json_t *json;

    assert_int_equal(run(*state, "camera add agt_1 a rtsp://h/").status, 0);
    output = run(*state, "camera list --json");
    json = json_loads(output.out, 0, NULL);
    assert_string_equal(text_of(json_array_get(json, 0), "slug"), "a");
    assert_string_equal(text_of(json_array_get(json, 0), "state"), "live");
    json_decref(json);
    output = run(*state, "status --json");
    json = json_loads(output.out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "loops")), 3);
    json_decref(json);
}

static void a_token_is_printed_with_addresses_and_revoked(void **state)
{
    struct api_fixture *fixture = *state;
    char id[AUTH_TOKEN_ID], text[AUTH_TOKEN_TEXT], words[80];
    struct output output;

    assert_int_equal(run(fixture, "camera add agt_1 a rtsp://h/").status, 0);
    output = run(fixture, "token add Anna --camera a --protocol rtsp --protocol hls "
                          "--valid-for 24h --viewers 2 --network 10.0.0.0/8");
    assert_int_equal(output.status, 0);
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(output.out, "\n"), output.out);
    assert_int_equal(auth_token_check(fixture->auth, text, id), 0);
    assert_non_null(strstr(output.out, "rtsp://relay.test:8554/a?token=cv1_"));
    output = run(fixture, "token list");
    assert_non_null(strstr(output.out, id));
    assert_null(strstr(output.out, text));
    snprintf(words, sizeof(words), "token show %s", id);
    assert_non_null(strstr(run(fixture, words).out, text));
    snprintf(words, sizeof(words), "token revoke %s", id);
    assert_int_equal(run(fixture, words).status, 0);
    assert_int_equal(run(fixture, "token revoke ffffffffffffffff").status, 1);
}

static void a_mistake_is_one_line_and_not_status_0(void **state)
{
    static const struct {
        const char *words;
        int status;
        const char *says;
    } rows[] = {
        {"camera add agt_1 Bad rtsp://h/", 1, "slug must be"},
        {"camera add agt_9 a rtsp://h/", 1, "agent_id names no agent"},
        {"camera add agt_1 a rtsp://h/ --always-on maybe", 1, "yes or no"},
        {"token add x --network 10.0.0.0/99", 1, "networks must be"},
        {"token add x --valid-for soon", 2, "valid-for"},
        {"token list --what", 2, "what"},
        {"camera show ../../status", 1, "404"},
        {"camera", 2, "usage"},
        {"camera fly", 2, "usage"},
        {"token add", 2, "usage"},
        {"status now", 2, "usage"},
        {"backup /nowhere/x", 1, "path"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct output output = run(*state, rows[i].words);

        if (!strstr(output.err, rows[i].says))
            print_message("%s: %s", rows[i].words, output.err);
        assert_int_equal(output.status, rows[i].status);
        assert_non_null(strstr(output.err, rows[i].says));
        assert_string_equal(output.out, "");
        if (output.status == 1)
            assert_ptr_equal(strchr(output.err, '\n'), output.err + strlen(output.err) - 1);
    }
}

static void without_a_server_it_says_what_to_do(void **state)
{
    struct api_fixture *fixture = *state;
    char folder[sizeof(fixture->folder)];
    struct output output;

    memcpy(folder, fixture->folder, sizeof(folder));
    unlink(fixture->socket);
    output = run(fixture, "status");
    assert_int_equal(output.status, 1);
    assert_non_null(strstr(output.err, "start it (culvert serve)"));
}

static void a_hostile_agents_words_do_not_steer_the_terminal(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    print_safe(out, "a\x1b[2J\rb\xc2\x9b"
                    "c\xc3\xa9");
    fclose(out);
    assert_string_equal(text, "a?[2J?b?c\xc3\xa9");
    free(text);
}

static void an_answer_cut_short_anywhere_is_an_error(void **state)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\": 1}\n";
    struct reply reply = {0};

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        char *cut = calloc(1, len + 1);

        memcpy(cut, whole, len);
        assert_int_not_equal(reply_parse(&reply, cut, len), 0);
        reply_fini(&reply);
        free(cut);
    }
    assert_int_equal(reply_parse(&reply, whole, sizeof(whole) - 1), 0);
    assert_int_equal(reply.status, 200);
    reply_fini(&reply);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)
    const struct CMUnitTest tests[] = {
        T(a_code_is_printed_alone),
        T(a_camera_is_added_shown_set_and_removed),
        T(json_is_what_the_api_says),
        T(a_token_is_printed_with_addresses_and_revoked),
        T(a_mistake_is_one_line_and_not_status_0),
        T(without_a_server_it_says_what_to_do),
        cmocka_unit_test(a_hostile_agents_words_do_not_steer_the_terminal),
        cmocka_unit_test(an_answer_cut_short_anywhere_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
