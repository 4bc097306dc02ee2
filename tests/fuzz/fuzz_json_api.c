/* The API's bodies: JSON from outside, read as a camera and as a token. */
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/api/noun_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct egress rtsp = {.name = "rtsp"};
    static const struct egress *const egresses[] = {&rtsp, NULL};
    struct api_env env = {.egresses = egresses};
    static struct store_camera camera;
    struct store_agent agent = {.id = "agt_1"};
    struct store_token token = {.created_s = 1};
    struct fields fields;

    fields_init(&fields, bytes, len);
    camera_fields_read(&fields, &agent, &camera);
    if (fields_end(&fields) && strchr(camera.url_shown, '@'))
        abort();
    fields_fini(&fields);
    fields_init(&fields, bytes, len);
    token_fields_read(&fields, &env, &token);
    if (fields_end(&fields) && strlen(token.origins) >= STORE_LIST)
        abort();
    fields_fini(&fields);
    return 0;
}
