/* What answers CONNECT or the upgrade; and what is written into --proxy and no_proxy. */
#include <stdlib.h>
#include <string.h>

#include "agent/dial_http.h"
#include "agent/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void read_reply(const uint8_t *bytes, size_t len)
{
    struct proxy proxy = {.authorization = ""};
    struct http_reply reply;
    ssize_t head = http_reply_parse(&reply, bytes, len);

    if (head > (ssize_t)len || head > REPLY_HEAD_MAX)
        abort();
    if (head <= 0)
        return;
    (void)connect_refusal(&reply, &proxy);
    (void)upgrade_refusal(&reply, "dGhlIHNhbXBsZSBub25jZQ==");
    /* A byte less is never a whole head. */
    if (http_reply_parse(&reply, bytes, (size_t)head - 1) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct proxy proxy;
    char *text = malloc(len + 1);

    if (!text)
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    read_reply(bytes, len);
    if (proxy_parse(&proxy, text) == 0) {
        if (!proxy.host[0] || !proxy.port || strpbrk(proxy.authorization, "\r\n"))
            abort();
        proxy.except = text;
        (void)proxy_is_for(&proxy, proxy.host);
        (void)proxy_is_for(&proxy, "192.0.2.1");
    }
    free(text);
    return 0;
}
