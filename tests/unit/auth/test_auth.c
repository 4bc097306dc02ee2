/* Tokens as texts, and every answer to the one question. */
#include <sys/stat.h>

#include "auth/auth.h"
#include "unit/db/store_fixture.h"

struct gate {
    struct fixture *store;
    struct auth *auth;
    char key_path[128], token[AUTH_TOKEN_TEXT];
    struct store_token row;
    struct store_camera camera;
    struct auth_question question;
    struct addr peer;
};

static int gate_setup(void **state)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    void *store;

    assert_int_equal(fixture_setup(&store), 0);
    gate->store = store;
    snprintf(gate->key_path, sizeof(gate->key_path), "%s/token.key", gate->store->folder);
    assert_int_equal(auth_open(&gate->auth, gate->key_path), 0);
    auth_token_id(gate->row.id);
    auth_token_text(gate->auth, gate->row.id, gate->token);
    assert_int_equal(addr_parse(&gate->peer, "198.51.100.7:4000"), 0);
    gate->camera = fixture_camera("cam_1", "agt_a", "front-door");
    gate->question = (struct auth_question){.token = gate->token,
                                            .camera = &gate->camera,
                                            .protocol = "rtsp",
                                            .peer = &gate->peer,
                                            .now_s = 1000};
    *state = gate;
    return 0;
}

static int gate_teardown(void **state)
{
    struct gate *gate = *state;
    void *store = gate->store;

    auth_close(gate->auth);
    unlink(gate->key_path);
    free(gate);
    return fixture_teardown(&store);
}

/* Stores the row and asks. */
static enum auth_answer ask(struct gate *gate)
{
    struct store_token found;

    store_token_put(gate->store->store, &gate->row, fixture_done(gate->store));
    assert_int_equal(fixture_wait(gate->store), 0);
    return auth_ask(gate->auth, gate->store->reader, &gate->question, &found);
}

static void the_key_is_made_once_and_is_private(void **state)
{
    struct gate *gate = *state;
    char again[AUTH_TOKEN_TEXT];
    struct stat file;

    assert_int_equal(stat(gate->key_path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(file.st_size, 32);
    auth_close(gate->auth);
    assert_int_equal(auth_open(&gate->auth, gate->key_path), 0);
    auth_token_text(gate->auth, gate->row.id, again);
    assert_string_equal(again, gate->token);
}

static void a_key_file_of_another_length_is_refused(void **state)
{
    struct gate *gate = *state;
    struct auth *other;

    assert_int_equal(truncate(gate->key_path, 31), 0);
    assert_int_equal(auth_open(&other, gate->key_path), -ERR_PROTOCOL);
    assert_int_equal(truncate(gate->key_path, 33), 0);
    assert_int_equal(auth_open(&other, gate->key_path), -ERR_PROTOCOL);
    assert_int_equal(auth_open(&other, gate->store->folder), -ERR_PROTOCOL);
    assert_int_equal(auth_open(&other, "/nowhere/token.key"), -ENOENT);
}

static void a_token_is_checked_whole(void **state)
{
    struct gate *gate = *state;
    char id[AUTH_TOKEN_ID], changed[AUTH_TOKEN_TEXT + 2];
    size_t len = strlen(gate->token);

    assert_int_equal(len, 53);
    assert_int_equal(auth_token_check(gate->auth, gate->token, id), 0);
    assert_string_equal(id, gate->row.id);
    for (size_t cut = 0; cut < len; cut++) {
        char *shorter = strndup(gate->token, cut);

        assert_int_equal(auth_token_check(gate->auth, shorter, id), -ERR_AUTH);
        free(shorter);
    }
    for (size_t at = 0; at < len; at++) {
        memcpy(changed, gate->token, len + 1);
        changed[at] = changed[at] == '0' ? '1' : '0';
        assert_int_equal(auth_token_check(gate->auth, changed, id), -ERR_AUTH);
        assert_string_equal(id, "");
    }
    snprintf(changed, sizeof(changed), "%sa", gate->token);
    assert_int_equal(auth_token_check(gate->auth, changed, id), -ERR_AUTH);
}

static void a_passphrase_is_the_tokens_own_and_not_its_mac(void **state)
{
    struct gate *gate = *state;
    char text[AUTH_PASSPHRASE_TEXT], again[AUTH_PASSPHRASE_TEXT], other[AUTH_PASSPHRASE_TEXT];

    auth_passphrase_text(gate->auth, gate->row.id, text);
    auth_passphrase_text(gate->auth, gate->row.id, again);
    auth_passphrase_text(gate->auth, "0123456789abcdef", other);
    assert_int_equal(strlen(text), 32);
    assert_string_equal(text, again);
    assert_string_not_equal(text, other);
    assert_null(strstr(gate->token, text));
    auth_passphrase_text(gate->auth, "short", text);
    assert_string_equal(text, "");
}

static void texts_that_are_no_tokens_are_refused(void **state)
{
    static const char *const texts[] = {
        "cv1_",
        "<redacted>",
        "cv1_0000000000000000_00000000000000000000000000000000",
        "cv2_0000000000000000_00000000000000000000000000000000",
        "CV1_0000000000000000_00000000000000000000000000000000",
        "cv1_000000000000000\xd9\xa0_0000000000000000000000000000000",
        "cv1_0000000000000000\xe2\x80\x8b_00000000000000000000000000000",
        "\xe2\x80\xae"
        "cv1_0000000000000000_00000000000000000000000000000",
        "cv1_0000000000000000-00000000000000000000000000000000",
        "' OR 1=1 --",
    };
    struct gate *gate = *state;
    char id[AUTH_TOKEN_ID], *giant = calloc(1, 10241);

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(auth_token_check(gate->auth, texts[i], id), -ERR_AUTH);
    memset(giant, 'a', 10240);
    assert_int_equal(auth_token_check(gate->auth, giant, id), -ERR_AUTH);
    assert_int_equal(auth_token_check(gate->auth, NULL, id), -ERR_AUTH);
    free(giant);
}

static void a_token_of_another_server_is_unknown(void **state)
{
    struct gate *gate = *state;

    assert_int_equal(ask(gate), AUTH_ALLOW);
    auth_close(gate->auth);
    unlink(gate->key_path);
    assert_int_equal(auth_open(&gate->auth, gate->key_path), 0);
    assert_int_equal(ask(gate), AUTH_UNKNOWN);
}

static void no_token_is_told_from_a_wrong_one(void **state)
{
    struct gate *gate = *state;

    gate->question.token = "";
    assert_int_equal(ask(gate), AUTH_NO_CREDENTIAL);
    gate->question.token = NULL;
    assert_int_equal(ask(gate), AUTH_NO_CREDENTIAL);
    gate->question.token = "cv1_";
    assert_int_equal(ask(gate), AUTH_UNKNOWN);
}

static void a_good_token_that_is_not_stored_is_unknown(void **state)
{
    struct gate *gate = *state;
    struct store_token found;

    assert_int_equal(auth_ask(gate->auth, gate->store->reader, &gate->question, &found),
                     AUTH_UNKNOWN);
}

static void times_are_kept_to_the_second(void **state)
{
    struct gate *gate = *state;

    gate->row.expires_s = 1001;
    assert_int_equal(ask(gate), AUTH_ALLOW);
    gate->row.expires_s = 1000;
    assert_int_equal(ask(gate), AUTH_EXPIRED);
    gate->row.expires_s = 0;
    gate->row.not_before_s = 1000;
    assert_int_equal(ask(gate), AUTH_ALLOW);
    gate->row.not_before_s = 1001;
    assert_int_equal(ask(gate), AUTH_NOT_YET);
}

static void a_revoked_token_says_so_before_anything_else(void **state)
{
    struct gate *gate = *state;

    gate->row.expires_s = 1;
    assert_int_equal(ask(gate), AUTH_EXPIRED);
    store_token_revoke(gate->store->store, gate->row.id, fixture_done(gate->store));
    assert_int_equal(fixture_wait(gate->store), 0);
    assert_int_equal(ask(gate), AUTH_REVOKED);
}

static void a_stream_outside_the_scope_is_as_one_that_is_not_there(void **state)
{
    struct gate *gate = *state;
    const struct store_camera *camera = gate->question.camera;

    assert_int_equal(ask(gate), AUTH_ALLOW);
    gate->question.camera = NULL;
    assert_int_equal(ask(gate), AUTH_SCOPE);
    snprintf(gate->row.cameras, sizeof(gate->row.cameras), "cam_11 cam_ acam_1");
    snprintf(gate->row.protocols, sizeof(gate->row.protocols), "hls");
    assert_int_equal(ask(gate), AUTH_SCOPE);
    gate->question.camera = camera;
    assert_int_equal(ask(gate), AUTH_SCOPE);
    snprintf(gate->row.cameras, sizeof(gate->row.cameras), "cam_0 cam_1");
    gate->row.protocols[0] = 0;
    assert_int_equal(ask(gate), AUTH_ALLOW);
    snprintf(gate->row.agent_id, sizeof(gate->row.agent_id), "agt_b");
    assert_int_equal(ask(gate), AUTH_SCOPE);
    gate->row.cameras[0] = 0;
    assert_int_equal(ask(gate), AUTH_SCOPE);
    snprintf(gate->row.agent_id, sizeof(gate->row.agent_id), "agt_a");
    assert_int_equal(ask(gate), AUTH_ALLOW);
}

static void only_named_protocols_are_let_in(void **state)
{
    struct gate *gate = *state;

    snprintf(gate->row.protocols, sizeof(gate->row.protocols), "hls rtsp");
    assert_int_equal(ask(gate), AUTH_ALLOW);
    gate->question.protocol = "rts";
    assert_int_equal(ask(gate), AUTH_PROTOCOL);
}

static void only_named_networks_are_let_in_in_any_form(void **state)
{
    struct gate *gate = *state;

    snprintf(gate->row.networks, sizeof(gate->row.networks), "2001:db8::/32 198.51.100.0/24");
    assert_int_equal(ask(gate), AUTH_ALLOW);
    assert_int_equal(addr_parse(&gate->peer, "[::ffff:198.51.100.9]:1"), 0);
    assert_int_equal(ask(gate), AUTH_ALLOW);
    assert_int_equal(addr_parse(&gate->peer, "[2001:db8::5]:1"), 0);
    assert_int_equal(ask(gate), AUTH_ALLOW);
    assert_int_equal(addr_parse(&gate->peer, "198.51.101.1:1"), 0);
    assert_int_equal(ask(gate), AUTH_NETWORK);
    gate->question.peer = NULL;
    assert_int_equal(ask(gate), AUTH_NETWORK);
}

static void a_page_of_another_origin_is_refused_and_a_player_not(void **state)
{
    struct gate *gate = *state;

    snprintf(gate->row.origins, sizeof(gate->row.origins), "https://a.test https://b.test:8443");
    assert_int_equal(ask(gate), AUTH_ALLOW);
    gate->question.origin = "https://b.test:8443";
    assert_int_equal(ask(gate), AUTH_ALLOW);
    gate->question.origin = "https://b.test";
    assert_int_equal(ask(gate), AUTH_ORIGIN);
    gate->question.origin = "null";
    assert_int_equal(ask(gate), AUTH_ORIGIN);
    gate->question.origin = "https://a.test https://b.test:8443";
    assert_int_equal(ask(gate), AUTH_ORIGIN);
}

static void every_answer_has_its_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AUTH_ANSWERS; i++) {
        assert_non_null(auth_answer_rule((enum auth_answer)i));
        assert_non_null(auth_answer_text((enum auth_answer)i));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, gate_setup, gate_teardown)
    const struct CMUnitTest tests[] = {
        T(the_key_is_made_once_and_is_private),
        T(a_key_file_of_another_length_is_refused),
        T(a_token_is_checked_whole),
        T(a_passphrase_is_the_tokens_own_and_not_its_mac),
        T(texts_that_are_no_tokens_are_refused),
        T(a_token_of_another_server_is_unknown),
        T(no_token_is_told_from_a_wrong_one),
        T(a_good_token_that_is_not_stored_is_unknown),
        T(times_are_kept_to_the_second),
        T(a_revoked_token_says_so_before_anything_else),
        T(a_stream_outside_the_scope_is_as_one_that_is_not_there),
        T(only_named_protocols_are_let_in),
        T(only_named_networks_are_let_in_in_any_form),
        T(a_page_of_another_origin_is_refused_and_a_player_not),
        T(every_answer_has_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
