/* The API: every route, and what each refuses. */
#include <stdatomic.h>

#include "agent-proto/enrol_code.h"
#include "unit/server/api_fixture.h"

static const char secret_url[] = "rtsp://admin:s3cr3t-canary@192.168.1.9:8554/main?key=canary";

static void add_camera(struct api_fixture *fixture, const char *slug)
{
    char body[400];

    snprintf(body, sizeof(body), "{'agent_id': 'agt_1', 'slug': '%s', 'url': '%s'}", slug,
             secret_url);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/cameras", body, NULL), 201);
}

static void a_code_names_this_server_and_its_key(void **state)
{
    struct api_fixture *fixture = *state;
    uint8_t pin[TLS_PIN_BYTES];
    struct enrol_code code;
    json_t *json;

    assert_int_equal(
        api_ask(fixture, "POST", "/api/v1/agents/codes", "{'name': 'Gar\u00e1\u017e'}", &json),
        201);
    assert_int_equal(enrol_code_parse(&code, text_of(json, "code")), 0);
    assert_string_equal(code.host, "relay.test");
    assert_int_equal(code.port, 443);
    tls_server_pin(fixture->tls, pin);
    assert_memory_equal(code.pin, pin, sizeof(pin));
    assert_in_range(json_integer_value(json_object_get(json, "expires")),
                    clock_wall_us() / 1000000 + 880, clock_wall_us() / 1000000 + 901);
    json_decref(json);
}

static void a_camera_url_is_sealed_and_never_shown_or_stored(void **state)
{
    struct api_fixture *fixture = *state;
    struct hpke_context context = hpke_camera_url("agt_1");
    struct store_reader *reader;
    struct store_camera camera;
    uint8_t plain[STORE_SEALED];
    json_t *json;
    char *text;

    add_camera(fixture, "front-door");
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/cameras/front-door", NULL, &json), 200);
    text = json_dumps(json, 0);
    assert_null(strstr(text, "canary"));
    assert_null(strstr(text, "admin"));
    free(text);
    assert_string_equal(text_of(json, "url_shown"), "192.168.1.9:8554/main");
    assert_int_equal(store_reader_open(&reader, fixture->store), 0);
    assert_int_equal(store_camera_find(reader, text_of(json, "id"), &camera), 0);
    store_reader_close(reader);
    assert_int_equal(hpke_open(&context, fixture->seal_key,
                               (struct hpke_bytes){camera.sealed.bytes, camera.sealed.len}, plain),
                     0);
    assert_memory_equal(plain, secret_url, strlen(secret_url));
    json_decref(json);
}

/* Whether any file of the data directory holds the text. */
static bool is_on_disk(struct api_fixture *fixture, const char *text)
{
    static const char *const names[] = {"culvert.db", "culvert.db-wal", "token.key"};
    bool found = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        char *bytes = malloc(4 << 20);
        FILE *file = fopen(fixture_path(fixture, names[i], path), "rb");
        size_t len = file ? fread(bytes, 1, 4 << 20, file) : 0;

        found = found || memmem(bytes, len, text, strlen(text));
        if (file)
            fclose(file);
        free(bytes);
    }
    return found;
}

static void no_secret_reaches_the_disk(void **state)
{
    struct api_fixture *fixture = *state;
    json_t *json;

    add_camera(fixture, "front-door");
    assert_true(is_on_disk(fixture, "front-door"));
    assert_false(is_on_disk(fixture, "canary"));
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/tokens", "{'label': 'x'}", &json), 201);
    assert_true(is_on_disk(fixture, text_of(json, "id")));
    assert_false(is_on_disk(fixture, text_of(json, "token") + 21)); /* its MAC */
    json_decref(json);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/agents/codes", "{'name': 'x'}", &json), 201);
    assert_false(is_on_disk(fixture, text_of(json, "code")));
    json_decref(json);
}

static void a_camera_is_shown_with_its_state_and_addresses(void **state)
{
    struct api_fixture *fixture = *state;
    json_t *json, *list;

    add_camera(fixture, "front-door");
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/cameras", NULL, &list), 200);
    json = json_array_get(json_object_get(list, "cameras"), 0);
    assert_string_equal(text_of(json, "slug"), "front-door");
    assert_string_equal(text_of(json, "name"), "front-door");
    assert_string_equal(text_of(json, "state"), "live");
    assert_string_equal(text_of(json, "state_text"), "Pictures are coming.");
    assert_string_equal(text_of(json_object_get(json, "urls"), "rtsp"),
                        "rtsp://relay.test:8554/front-door?token={token}");
    json_decref(list);
}

static void an_agent_is_named_by_id_or_by_its_only_name(void **state)
{
    static const char body[] = "{'agent_id': '%s', 'slug': '%s', 'url': 'rtsp://h/'}";
    static const struct {
        const char *agent, *slug;
        unsigned status;
    } rows[] = {{"Shed at home", "a", 201},
                {"agt_2", "b", 201},
                {"Barn", "c", 422},
                {"Nobody", "d", 422},
                {"", "e", 422}};
    struct api_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];

        snprintf(text, sizeof(text), body, rows[i].agent, rows[i].slug);
        assert_int_equal(api_ask(fixture, "POST", "/api/v1/cameras", text, NULL), rows[i].status);
    }
}

static void a_slug_is_taken_once(void **state)
{
    struct api_fixture *fixture = *state;
    json_t *json;

    add_camera(fixture, "front-door");
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/cameras",
                             "{'agent_id': 'agt_1', 'slug': 'front-door', 'url': 'rtsp://h/'}",
                             &json),
                     409);
    assert_string_equal(text_of(json, "title"), "Conflict");
    json_decref(json);
}

static void wrong_fields_are_named_and_secrets_not_quoted(void **state)
{
    static const struct {
        const char *body, *field;
    } rows[] = {
        {"{'slug': 'a', 'url': 'rtsp://h/'}", "agent_id "},
        {"{'agent_id': 'agt_1', 'url': 'rtsp://h/'}", "slug "},
        {"{'agent_id': 'agt_1', 'slug': 'a'}", "url "},
        {"{'agent_id': 'agt_1', 'slug': 'A', 'url': 'rtsp://h/'}", "slug "},
        {"{'agent_id': 'agt_1', 'slug': '-a', 'url': 'rtsp://h/'}", "slug "},
        {"{'agent_id': 'agt_1', 'slug': 1, 'url': 'rtsp://h/'}", "slug "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'http://u:canary@h/'}", "url "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://u:can/ary@h/'}", "url "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h:99999/'}", "url "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://u:canary@/'}", "url "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/canary x'}", "url "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/', 'sub_url': 'canary'}", "sub_url "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/', 'always_on': 1}", "always_on "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/', 'name': 'x\u202ey'}", "name "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/', 'name': ' '}", "name "},
        {"{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/', 'colour': 'x'}", "\"colour\" "},
    };
    struct api_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *json;

        assert_int_equal(api_ask(fixture, "POST", "/api/v1/cameras", rows[i].body, &json), 422);
        assert_int_equal(strncmp(text_of(json, "detail"), rows[i].field, strlen(rows[i].field)), 0);
        assert_null(strstr(text_of(json, "detail"), "canary"));
        json_decref(json);
    }
}

static void a_camera_is_changed_and_removed(void **state)
{
    struct api_fixture *fixture = *state;
    json_t *json;

    add_camera(fixture, "front-door");
    assert_int_equal(api_ask(fixture, "PATCH", "/api/v1/cameras/front-door",
                             "{'slug': 'gate', 'name': 'Gate', 'always_on': true, "
                             "'sub_url': 'rtsp://h/sub'}",
                             &json),
                     200);
    assert_string_equal(text_of(json, "slug"), "gate");
    assert_string_equal(text_of(json, "url_shown"), "192.168.1.9:8554/main");
    assert_true(json_is_true(json_object_get(json, "has_sub")));
    assert_int_equal(json_integer_value(json_object_get(json, "revision")), 2);
    json_decref(json);
    assert_int_equal(api_ask(fixture, "PATCH", "/api/v1/cameras/gate", "{'sub_url': null}", &json),
                     200);
    assert_false(json_is_true(json_object_get(json, "has_sub")));
    json_decref(json);
    assert_int_equal(
        api_ask(fixture, "PATCH", "/api/v1/cameras/gate", "{'agent_id': 'agt_2'}", NULL), 422);
    assert_int_equal(api_ask(fixture, "DELETE", "/api/v1/cameras/gate", NULL, NULL), 204);
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/cameras/gate", NULL, NULL), 404);
    assert_int_equal(api_ask(fixture, "DELETE", "/api/v1/cameras/gate", NULL, NULL), 404);
}

static void a_token_is_made_shown_and_revoked(void **state)
{
    struct api_fixture *fixture = *state;
    char id[AUTH_TOKEN_ID], target[80];
    json_t *made, *json;

    add_camera(fixture, "front-door");
    assert_int_equal(
        api_ask(fixture, "POST", "/api/v1/tokens",
                "{'label': 'Anna', 'cameras': ['front-door'], 'protocols': ['rtsp', 'hls'], "
                "'networks': ['10.0.0.0/8'], 'origins': ['HTTPS://Example.org:443'], "
                "'expires': 4102444800, 'viewers_max': 3}",
                &made),
        201);
    assert_int_equal(auth_token_check(fixture->auth, text_of(made, "token"), id), 0);
    assert_string_equal(id, text_of(made, "id"));
    assert_non_null(
        strstr(text_of(json_object_get(json_object_get(made, "urls"), "front-door"), "rtsp"),
               text_of(made, "token")));
    snprintf(target, sizeof(target), "/api/v1/tokens/%s", id);
    assert_int_equal(api_ask(fixture, "GET", target, NULL, &json), 200);
    assert_null(json_object_get(json, "token"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "origins"), 0)),
                        "https://example.org");
    assert_int_equal(
        strncmp(json_string_value(json_array_get(json_object_get(json, "cameras"), 0)), "cam_", 4),
        0);
    json_decref(json);
    snprintf(target, sizeof(target), "/api/v1/tokens/%s?show=1", id);
    assert_int_equal(api_ask(fixture, "GET", target, NULL, &json), 200);
    assert_string_equal(text_of(json, "token"), text_of(made, "token"));
    json_decref(json);
    snprintf(target, sizeof(target), "/api/v1/tokens/%s", id);
    assert_int_equal(api_ask(fixture, "DELETE", target, NULL, NULL), 204);
    assert_int_equal(api_ask(fixture, "GET", target, NULL, &json), 200);
    assert_true(json_integer_value(json_object_get(json, "revoked")) > 0);
    json_decref(json);
    json_decref(made);
}

static void a_passphrase_is_shown_with_the_token_alone(void **state)
{
    struct api_fixture *fixture = *state;
    char target[80];
    json_t *made, *json;

    add_camera(fixture, "front-door");
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/tokens",
                             "{'label': 'Anna', 'cameras': ['front-door'], "
                             "'srt_passphrase': true}",
                             &made),
                     201);
    assert_int_equal(strlen(text_of(made, "srt_passphrase")), 32);
    assert_non_null(
        strstr(text_of(json_object_get(json_object_get(made, "urls"), "front-door"), "rtsp"),
               text_of(made, "srt_passphrase")));
    snprintf(target, sizeof(target), "/api/v1/tokens/%s", text_of(made, "id"));
    assert_int_equal(api_ask(fixture, "GET", target, NULL, &json), 200);
    assert_null(json_object_get(json, "srt_passphrase"));
    assert_true(json_is_true(json_object_get(json, "has_srt_passphrase")));
    json_decref(json);
    json_decref(made);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/tokens", "{'label': 'Bob'}", &made), 201);
    assert_null(json_object_get(made, "srt_passphrase"));
    json_decref(made);
}

static void a_wrong_token_is_refused_by_field(void **state)
{
    static const struct {
        const char *body, *field;
    } rows[] = {
        {"{'cameras': []}", "cameras "},
        {"{'cameras': 'x'}", "cameras "},
        {"{'cameras': ['none']}", "cameras "},
        {"{'cameras': [1]}", "cameras "},
        {"{'agent_id': 'agt_9'}", "agent_id "},
        {"{'protocols': ['gopher']}", "protocols "},
        {"{'protocols': ['rtsp hls']}", "protocols "},
        {"{'networks': ['10.0.0.0/33']}", "networks "},
        {"{'networks': ['10.0.0.0/8 0.0.0.0/0']}", "networks "},
        {"{'origins': ['example.org']}", "origins "},
        {"{'origins': ['https://a/b']}", "origins "},
        {"{'origins': ['https://a https://b']}", "origins "},
        {"{'origins': ['https://a:0']}", "origins "},
        {"{'origins': ['*']}", "origins "},
        {"{'expires': -1}", "expires "},
        {"{'expires': 1.5}", "expires "},
        {"{'expires': '2030'}", "expires "},
        {"{'not_before': 20, 'expires': 10}", "expires "},
        {"{'viewers_max': 4294967296}", "viewers_max "},
        {"{'label': 'a\\u0007b'}", "label "},
    };
    struct api_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *json;

        assert_int_equal(api_ask(fixture, "POST", "/api/v1/tokens", rows[i].body, &json), 422);
        assert_int_equal(strncmp(text_of(json, "detail"), rows[i].field, strlen(rows[i].field)), 0);
        json_decref(json);
    }
}

static void agents_are_listed_and_revoked(void **state)
{
    struct api_fixture *fixture = *state;
    json_t *json;

    assert_int_equal(api_ask(fixture, "GET", "/api/v1/agents?limit=2", NULL, &json), 200);
    assert_int_equal(json_array_size(json_object_get(json, "agents")), 2);
    assert_string_equal(text_of(json, "next"), "agt_2");
    json_decref(json);
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/agents?after=agt_2", NULL, &json), 200);
    assert_int_equal(json_array_size(json_object_get(json, "agents")), 1);
    assert_null(json_object_get(json, "next"));
    json_decref(json);
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/agents?limit=0", NULL, NULL), 422);
    assert_int_equal(api_ask(fixture, "DELETE", "/api/v1/agents/Shed%20at%20home", NULL, NULL),
                     204);
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/agents/agt_1", NULL, &json), 200);
    assert_true(json_integer_value(json_object_get(json, "revoked")) > 0);
    json_decref(json);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/cameras",
                             "{'agent_id': 'agt_1', 'slug': 'a', 'url': 'rtsp://h/'}", NULL),
                     422);
    assert_int_equal(api_ask(fixture, "GET", "/api/v1/agents/agt_9", NULL, NULL), 404);
}

static void status_counts_what_there_is(void **state)
{
    struct api_fixture *fixture = *state;
    json_t *json, *cameras;

    assert_int_equal(api_ask(fixture, "GET", "/api/v1/status", NULL, &json), 200);
    assert_int_equal(json_integer_value(json_object_get(json, "loops")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "agents"), "total")),
                     3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "agents"), "online")),
                     1);
    cameras = json_object_get(json, "cameras");
    assert_int_equal(json_integer_value(json_object_get(cameras, "total")), 3);
    cameras = json_object_get(cameras, "by_state");
    assert_int_equal(json_object_size(cameras), 2);
    assert_int_equal(json_integer_value(json_object_get(cameras, "live")), 2);
    assert_int_equal(json_integer_value(json_object_get(cameras, "agent-away")), 1);
    json_decref(json);
}

static void a_backup_is_a_new_private_file(void **state)
{
    struct api_fixture *fixture = *state;
    char body[200], path[128];
    struct stat file;

    fixture_path(fixture, "copy.db", path);
    snprintf(body, sizeof(body), "{'path': '%s'}", path);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/backup", body, NULL), 201);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/backup", body, NULL), 409);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/backup", "{'path': 'copy.db'}", NULL), 422);
    assert_int_equal(api_ask(fixture, "POST", "/api/v1/backup", "{'path': '/nowhere/x.db'}", NULL),
                     422);
}

/* Sends bytes as they are and gives the status. */
static unsigned send_raw(struct api_fixture *fixture, const char *type, const char *body,
                         size_t len)
{
    char command[400], path[128];
    unsigned status = 0;
    FILE *file = fopen(fixture_path(fixture, "body", path), "wb");

    assert_int_equal(fwrite(body, 1, len, file), len);
    fclose(file);
    snprintf(command, sizeof(command),
             "curl -s -m 10 -o /dev/null -w '%%{http_code}' --unix-socket %s -H 'content-type: %s' "
             "-H 'expect:' --data-binary @%s http://localhost/api/v1/tokens",
             fixture->socket, type, path);
    file = popen(command, "r");
    assert_int_equal(fscanf(file, "%u", &status), 1);
    pclose(file);
    return status;
}

static void bodies_that_are_not_small_plain_json_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{'label': 'a', 'label': 'b'}",
        "{'expires': 1e400}",
        "{'label': '\\ud800'}",
        "{'label': '\\u0000'}",
        "{'label': '\xff\xfe'}",
        "{'label': 'a'} x",
        "<redacted>",
    };
    struct api_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char body[100];
        size_t len = strlen(bad[i]);

        for (size_t at = 0; at < len; at++)
            body[at] = bad[i][at] == '\'' ? '"' : bad[i][at];
        assert_int_equal(send_raw(fixture, "application/json", body, len), 400);
    }
    assert_int_equal(send_raw(fixture, "application/json", "{\"expires\":1e-999999}", 21), 422);
    assert_int_equal(send_raw(fixture, "text/plain", "{}", 2), 415);
    assert_int_equal(send_raw(fixture, "application/jsonx", "{}", 2), 415);
    assert_int_equal(send_raw(fixture, "application/json; charset=utf-8", "{}", 2), 201);
}

static void bodies_over_each_limit_are_refused(void **state)
{
    struct api_fixture *fixture = *state;
    size_t size = 1 << 20;
    char *body = calloc(1, size);
    size_t len = 0;

    memset(body, '[', 60000);
    assert_int_equal(send_raw(fixture, "application/json", body, 60000), 400);
    memset(body, ' ', size);
    assert_int_equal(send_raw(fixture, "application/json", body, size), 413);
    body[len++] = '{';
    for (int i = 0; i < 257; i++)
        len += (size_t)snprintf(body + len, 32, "%s\"k%d\":1", i ? "," : "", i);
    body[len++] = '}';
    assert_int_equal(send_raw(fixture, "application/json", body, len), 400);
    free(body);
}

static atomic_int allocations_left = -1; /* on the loop's thread; -1: as many as it likes */

static void *scarce_malloc(size_t size)
{
    if (!loop_current() || allocations_left < 0)
        return malloc(size);
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void without_memory_for_json_each_answer_is_an_error_or_right(void **state)
{
    static const struct {
        const char *method, *target, *body;
    } rows[] = {
        {"POST", "/api/v1/tokens", "{'label': 'x', 'cameras': ['a'], 'networks': ['::1']}"},
        {"PATCH", "/api/v1/cameras/a", "{'sub_url': 'rtsp://h/', 'name': 'b'}"},
        {"GET", "/api/v1/cameras", NULL},
        {"GET", "/api/v1/status", NULL},
    };
    struct api_fixture *fixture = *state;

    add_camera(fixture, "a");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned status = 0;

        for (int n = 0; status / 100 != 2; n++) {
            assert_in_range(n, 0, 300);
            allocations_left = n;
            json_set_alloc_funcs(scarce_malloc, free);
            status = api_ask(fixture, rows[i].method, rows[i].target, rows[i].body, NULL);
            assert_true(status / 100 == 2 || status == 400 || status == 503);
        }
    }
    allocations_left = -1;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, api_setup, api_teardown)
    const struct CMUnitTest tests[] = {
        T(a_code_names_this_server_and_its_key),
        T(a_camera_url_is_sealed_and_never_shown_or_stored),
        T(no_secret_reaches_the_disk),
        T(a_camera_is_shown_with_its_state_and_addresses),
        T(an_agent_is_named_by_id_or_by_its_only_name),
        T(a_slug_is_taken_once),
        T(wrong_fields_are_named_and_secrets_not_quoted),
        T(a_camera_is_changed_and_removed),
        T(a_token_is_made_shown_and_revoked),
        T(a_passphrase_is_shown_with_the_token_alone),
        T(a_wrong_token_is_refused_by_field),
        T(agents_are_listed_and_revoked),
        T(status_counts_what_there_is),
        T(a_backup_is_a_new_private_file),
        T(bodies_that_are_not_small_plain_json_are_refused),
        T(bodies_over_each_limit_are_refused),
        T(without_memory_for_json_each_answer_is_an_error_or_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
