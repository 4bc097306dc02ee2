/* Tokens as viewers show them: nobody without the key may make one. */
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct auth auth = {.key = {1, 2, 3}};
    char id[AUTH_TOKEN_ID], ours[AUTH_TOKEN_TEXT];
    char *token = malloc(len + 1);

    if (!token)
        return 0;
    if (len)
        memcpy(token, bytes, len);
    token[len] = 0;
    if (!auth_token_check(&auth, token, id)) {
        auth_token_text(&auth, id, ours);
        if (strcmp(ours, token))
            abort();
    }
    auth_token_text(&auth, token, ours);
    free(token);
    return 0;
}
