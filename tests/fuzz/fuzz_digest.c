#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rtsp/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A challenge that was read can be answered, and the answer is right. */
static void answer(const char *value)
{
    struct digest_request request = {"PLAY", "rtsp://h/", "u\"s", "p", 1, "c"};
    struct digest_credential credential;
    struct digest_challenge challenge;
    char out[4096];

    if (digest_challenge_parse(&challenge, value) < 0 ||
        digest_answer(&challenge, &request, out, sizeof(out)) < 0)
        return;
    if (digest_credential_parse(&credential, out) < 0)
        abort();
    if (credential.scheme != AUTH_SCHEME_BASIC && digest_verify(&credential, "PLAY", "p") < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint8_t key[32];
    struct digest_credential credential;
    char *value = malloc(len + 1);

    if (!value)
        return 0;
    memcpy(value, bytes, len);
    value[len] = '\0';
    answer(value);
    if (digest_credential_parse(&credential, value) == 0) {
        (void)!digest_verify(&credential, "PLAY", "p");
        (void)!nonce_check(key, 0, credential.nonce);
    }
    free(value);
    return 0;
}
