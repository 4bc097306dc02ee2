#include "rtsp/control.h"

#include <stdio.h>
#include <string.h>

/* Path and query of what the camera wrote, on the host that we know. False when it wrote no
 * such URL. */
static bool take_path(struct rtsp_url *out, const struct rtsp_url *url, const char *text)
{
    struct rtsp_url theirs;

    if (rtsp_url_parse(&theirs, text) < 0)
        return false;
    *out = *url;
    memcpy(out->path, theirs.path, sizeof(out->path));
    memcpy(out->query, theirs.query, sizeof(out->query));
    return true;
}

/* "/live/track1", "/live?track=1": from the root. */
static int from_root(const struct rtsp_url *url, const char *control, char *out, size_t room)
{
    struct rtsp_url root = *url;
    size_t len, more = strlen(control);

    root.path[0] = root.query[0] = '\0';
    if (rtsp_url_format(&root, out, room) < 0)
        return -ERR_TOO_LONG;
    len = strlen(out);
    if (more >= room - len)
        return -ERR_TOO_LONG;
    memcpy(out + len, control, more + 1);
    return 0;
}

static int append(const char *control, char *out, size_t room)
{
    size_t len = strlen(out);
    bool needs_slash = *control != '?' && len && out[len - 1] != '/';
    int more = snprintf(out + len, room - len, "%s%s", needs_slash ? "/" : "", control);

    return more < 0 || (size_t)more >= room - len ? -ERR_TOO_LONG : 0;
}

int rtsp_control_url(const struct rtsp_url *url, const char *base, const char *control, char *out,
                     size_t room)
{
    struct rtsp_url whole;
    char word[RTSP_URL_MAX];

    if (strcspn(control, " \t") >= sizeof(word))
        return -ERR_TOO_LONG;
    (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(control, " \t"), control);
    if (strstr(word, "://") && take_path(&whole, url, word))
        return rtsp_url_format(&whole, out, room);
    if (word[0] == '/')
        return from_root(url, word, out, room);
    if (!base || !take_path(&whole, url, base))
        whole = *url;
    if (word[0] == '?')
        whole.query[0] = '\0';
    if (rtsp_url_format(&whole, out, room) < 0)
        return -ERR_TOO_LONG;
    if (!word[0] || strcmp(word, "*") == 0 || strstr(word, "://"))
        return 0;
    return append(word, out, room);
}
