#include "server/ticket.h"

#include <string.h>

#include "base/random.h"
#include "base/reader.h"
#include "crypto/digest.h"

enum { GOOD_FOR_US = 60 * 1000000, CLEAR_BYTES = 16, MAC_BYTES = RELAY_TICKET - CLEAR_BYTES };

void ticket_key_init(struct ticket_key *key)
{
    random_bytes(key->bytes, sizeof(key->bytes));
}

static int make_mac(const struct ticket_key *key, const char *camera_id,
                    const uint8_t clear[CLEAR_BYTES], uint8_t out[SHA256_BYTES])
{
    uint8_t text[CLEAR_BYTES + STORE_ID];
    size_t len = strnlen(camera_id, STORE_ID);

    memcpy(text, clear, CLEAR_BYTES);
    memcpy(text + CLEAR_BYTES, camera_id, len);
    return hmac_make((struct hmac_key){key->bytes, sizeof(key->bytes)}, text, CLEAR_BYTES + len,
                     out);
}

void ticket_make(const struct ticket_key *key, const char *camera_id, int64_t now_us,
                 uint8_t out[RELAY_TICKET])
{
    uint64_t expiry = (uint64_t)(now_us + GOOD_FOR_US);
    uint8_t mac[SHA256_BYTES] = {0};

    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(expiry >> (56 - 8 * i));
    random_bytes(out + 8, 8);
    if (make_mac(key, camera_id, out, mac) < 0)
        random_bytes(mac, sizeof(mac)); /* a ticket that no one takes: asked for again */
    memcpy(out + CLEAR_BYTES, mac, MAC_BYTES);
}

int ticket_check(const struct ticket_key *key, const char *camera_id,
                 const uint8_t ticket[RELAY_TICKET], int64_t now_us)
{
    struct reader reader = reader_of(ticket, 8);
    uint8_t mac[SHA256_BYTES];

    if (make_mac(key, camera_id, ticket, mac) < 0)
        return -ERR_DENIED;
    if (!secret_is_equal(mac, ticket + CLEAR_BYTES, MAC_BYTES))
        return -ERR_DENIED;
    return (int64_t)reader_u64(&reader) < now_us ? -ERR_DENIED : 0;
}
