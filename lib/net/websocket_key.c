/* The keys of the WebSocket's upgrade (RFC 6455 sections 4.1 and 4.2.2). They prove that the other
 * end means WebSocket, and nothing else: SHA-1 is no weakness here. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "net/websocket.h"

enum { KEY_BYTES = 16, SHA1_BYTES = 20 };

void websocket_make_key(char out[WEBSOCKET_KEY])
{
    uint8_t bytes[KEY_BYTES];

    random_bytes(bytes, sizeof(bytes));
    (void)EVP_EncodeBlock((unsigned char *)out, bytes, sizeof(bytes));
}

bool websocket_is_key(const char *key)
{
    uint8_t bytes[KEY_BYTES + 2];

    return key && strlen(key) == WEBSOCKET_KEY - 1 && memcmp(key + 22, "==", 2) == 0 &&
           key[21] != '=' &&
           EVP_DecodeBlock(bytes, (const unsigned char *)key, WEBSOCKET_KEY - 1) == KEY_BYTES + 2;
}

int websocket_answer_key(const char *key, char out[WEBSOCKET_ACCEPT])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA1_BYTES];
    char text[WEBSOCKET_KEY + sizeof(guid)];
    int len = snprintf(text, sizeof(text), "%s%s", key, guid);

    if (len < 0 || (size_t)len >= sizeof(text))
        return -ERR_PROTOCOL;
    if (EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha1(), NULL) != 1)
        return -ERR_LIBRARY;
    (void)EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
    return 0;
}
