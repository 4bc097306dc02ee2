#include "media/profile.h"

#include <stdio.h>
#include <string.h>

static const char stream_end[] = "/sub", source_end[] = "_sub";

int profile_parse(enum profile *out, const char *text)
{
    *out = PROFILE_MAIN;
    if (!text || !*text || strcmp(text, "main") == 0)
        return 0;
    *out = PROFILE_SUB;
    return strcmp(text, "sub") == 0 ? 0 : -ERR_NOT_FOUND;
}

static int join(char *out, size_t room, const char *name, const char *end)
{
    return snprintf(out, room, "%s%s", name, end) < (int)room ? 0 : -ERR_TOO_LONG;
}

static enum profile split(const char *name, const char *end, size_t *len)
{
    size_t end_len = strlen(end);

    *len = strlen(name);
    if (*len <= end_len || strcmp(name + *len - end_len, end) != 0)
        return PROFILE_MAIN;
    *len -= end_len;
    return PROFILE_SUB;
}

int profile_stream(char *out, size_t room, const char *slug, enum profile profile)
{
    return join(out, room, slug, profile == PROFILE_SUB ? stream_end : "");
}

enum profile profile_of_stream(const char *stream, size_t *slug_len)
{
    return split(stream, stream_end, slug_len);
}

int profile_source(char *out, size_t room, const char *camera_id, enum profile profile)
{
    return join(out, room, camera_id, profile == PROFILE_SUB ? source_end : "");
}

enum profile profile_of_source(const char *source_id, size_t *camera_len)
{
    return split(source_id, source_end, camera_len);
}
