#include "rtmp/handshake.h"

#include <stdbool.h>
#include <string.h>

#include "base/random.h"
#include "crypto/digest.h"

enum {
    DIGEST = SHA256_BYTES,
    VERSION_AT = 4,
    SCHEMES = 2,
    PLACES = 728, /* a digest stands at one of so many places within its half */
    PLAYER_KEY = 30,
    SERVER_KEY = 36,
    KEY_TAIL = 32
};

/* Where the four bytes stand that say where the digest is, by scheme. */
static const size_t place_at[SCHEMES] = {8, 772};

/* No secrets: every player and server has them. */
static const char player_key[] = "Genuine Adobe Flash Player 001";
static const char server_key[] = "Genuine Adobe Flash Media Server 001";
static const uint8_t key_tail[KEY_TAIL] = {
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae};

static size_t digest_at(const uint8_t *block, unsigned scheme)
{
    const uint8_t *place = block + place_at[scheme];

    return place_at[scheme] + 4 + (size_t)(place[0] + place[1] + place[2] + place[3]) % PLACES;
}

/* Of the whole block but the digest's own place. */
static int digest_make(const uint8_t *block, size_t at, struct hmac_key key, uint8_t out[DIGEST])
{
    uint8_t rest[RTMP_HANDSHAKE - DIGEST];

    memcpy(rest, block, at);
    memcpy(rest + at, block + at + DIGEST, sizeof(rest) - at);
    return hmac_make(key, rest, sizeof(rest), out);
}

/* 1 and the scheme and the digest's place, 0 when there is none (a simple handshake), or an
 * error. */
static int find_digest(const uint8_t *c1, unsigned *scheme, size_t *at)
{
    static const uint8_t none[4];
    struct hmac_key key = {player_key, PLAYER_KEY};
    uint8_t digest[DIGEST];

    if (memcmp(c1 + VERSION_AT, none, sizeof(none)) == 0)
        return 0;
    for (*scheme = 0; *scheme < SCHEMES; (*scheme)++) {
        int err;

        *at = digest_at(c1, *scheme);
        err = digest_make(c1, *at, key, digest);
        if (err < 0)
            return err;
        if (memcmp(digest, c1 + *at, DIGEST) == 0)
            return 1;
    }
    return 0;
}

static int sign(const uint8_t *c1_digest, uint8_t s1[RTMP_HANDSHAKE], unsigned scheme,
                uint8_t s2[RTMP_HANDSHAKE])
{
    static const uint8_t version[] = {5, 0, 3, 1};
    uint8_t whole_key[SERVER_KEY + KEY_TAIL], key[DIGEST];
    size_t at;
    int err;

    memcpy(s1 + VERSION_AT, version, sizeof(version));
    at = digest_at(s1, scheme);
    err = digest_make(s1, at, (struct hmac_key){server_key, SERVER_KEY}, s1 + at);
    memcpy(whole_key, server_key, SERVER_KEY);
    memcpy(whole_key + SERVER_KEY, key_tail, KEY_TAIL);
    if (err == 0)
        err = hmac_make((struct hmac_key){whole_key, sizeof(whole_key)}, c1_digest, DIGEST, key);
    if (err == 0)
        err = hmac_make((struct hmac_key){key, sizeof(key)}, s2, RTMP_HANDSHAKE - DIGEST,
                        s2 + RTMP_HANDSHAKE - DIGEST);
    return err;
}

int rtmp_handshake(const uint8_t hello[RTMP_HELLO], uint8_t answer[RTMP_ANSWER])
{
    const uint8_t *c1 = hello + 1;
    uint8_t *s1 = answer + 1, *s2 = s1 + RTMP_HANDSHAKE;
    unsigned scheme;
    size_t at;
    int found;

    if (hello[0] != RTMP_VERSION)
        return -ERR_VERSION;
    answer[0] = RTMP_VERSION;
    random_bytes(s1, 2 * RTMP_HANDSHAKE);
    memset(s1, 0, 8);
    found = find_digest(c1, &scheme, &at);
    if (found < 0)
        return found;
    if (found)
        return sign(c1 + at, s1, scheme, s2);
    memcpy(s2, c1, RTMP_HANDSHAKE);
    return 0;
}
