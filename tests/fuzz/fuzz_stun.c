/* STUN to an ICE-lite agent of known credentials: as it came, and once more with a right
 * MESSAGE-INTEGRITY in place of what it had, since no fuzzer guesses one. */
#include <stdlib.h>
#include <string.h>

#include "egress/webrtc/ice.h"

#include "unit/egress/webrtc/stun_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char *const sources[] = {"192.0.2.1:5000",    "192.0.2.1:6000",
                                      "192.0.2.2:5000",    "[::ffff:192.0.2.1]:5000",
                                      "[2001:db8::1]:500", "[2001:db8::2]:500"};
enum { SOURCE_COUNT = sizeof(sources) / sizeof(*sources) };

static struct ice make_ice(void)
{
    struct ice ice;

    if (ice_init(&ice, 0, "fuzz", 1) < 0)
        abort();
    memcpy(ice.ufrag, "00abcdefghijklmnopqr", ICE_UFRAG_TEXT);
    memcpy(ice.password, "abcdefghijklmnopqrstuvwxyz234567", ICE_PASSWORD_TEXT);
    return ice;
}

/* Answers are whole messages that prove themselves, no longer than what they answer. */
static void check_answer(const struct ice *ice, const uint8_t *reply, size_t reply_len, size_t len)
{
    struct stun_message answer;

    if (reply_len == 0)
        return;
    if (reply_len > len || stun_parse(&answer, reply, reply_len) < 0 || !answer.has_fingerprint ||
        answer.class == STUN_REQUEST || !stun_is_authentic(&answer, reply, ice->password))
        abort();
}

/* From each source in turn, as time goes by. */
static void feed(const uint8_t *bytes, size_t len)
{
    struct ice ice = make_ice();
    int64_t now_us = 1;

    for (unsigned i = 0; i < 2 * SOURCE_COUNT; i++) {
        struct ice_route from = {.remote = built_addr(sources[i % SOURCE_COUNT])};
        struct ice_packet packet = {&from, bytes, len};
        uint8_t reply[STUN_REPLY_MAX];
        const struct ice_route *selected;

        check_answer(&ice, reply, ice_input(&ice, &packet, reply, now_us), len);
        selected = ice_selected(&ice, now_us);
        if (selected && !ice_is_proven(&ice, selected))
            abort();
        now_us += i < SOURCE_COUNT ? 700000 : 8000000;
    }
}

/* Its attributes up to the first sum or whatever is cut off, and then our own sum. */
static void seal(struct built *built, const uint8_t *bytes, size_t len)
{
    static const char password[] = "abcdefghijklmnopqrstuvwxyz234567";
    size_t at = 20;

    while (at + 4 <= len && at < BUILT_MAX / 2) {
        int type = bytes[at] << 8 | bytes[at + 1];
        size_t whole = 4 + ((size_t)(bytes[at + 2] << 8 | bytes[at + 3]) + 3) / 4 * 4;

        if (type == AT_INTEGRITY || type == AT_FINGERPRINT || whole > len - at ||
            whole > BUILT_MAX / 2 - at)
            break;
        at += whole;
    }
    memcpy(built->bytes, bytes, at);
    built->len = at;
    built_integrity(built, password);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct built built = {.len = 0};
    char ufrag[ICE_UFRAG_TEXT];

    if (ice_find_ufrag(bytes, len, ufrag) && (ufrag[0] == '\0' || ice_loop_of(ufrag) > 255))
        abort();
    feed(bytes, len);
    if (!stun_is(bytes, len))
        return 0;
    seal(&built, bytes, len);
    feed(built.bytes, built.len);
    return 0;
}
