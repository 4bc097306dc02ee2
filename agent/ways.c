#include "agent/ways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/digest.h"
#include "net/tls.h"

const struct way way_table[WAYS] = {
    {"direct", false, false},
    {"proxy", true, false},
    {"websocket", false, true},
    {"websocket via proxy", true, true},
};

static const char *from_environment(const char *lower, const char *upper)
{
    const char *value = getenv(lower);

    if (!value || !value[0])
        value = getenv(upper);
    return value && value[0] ? value : NULL;
}

/* Never the value itself: it may hold a password. */
static const char *fault_of(int err)
{
    return err == -ERR_UNSUPPORTED ? "only http:// proxies are spoken to"
                                   : "must be http://[USER:PASSWORD@]HOST:PORT";
}

static int read_proxy(struct ways *ways, const struct options *options)
{
    const char *given = option_text(options, "proxy");
    const char *found = from_environment("https_proxy", "HTTPS_PROXY");
    int err = 0;

    if (given[0])
        err = proxy_parse(&ways->proxy, given);
    if (err < 0) {
        (void)fprintf(stderr, "culvert-agent: proxy: %s\n", fault_of(err));
        return -ERR_PROTOCOL;
    }
    /* What other programs were told need not be for us: it is no reason not to start. */
    if (!given[0] && found)
        err = proxy_parse(&ways->proxy, found);
    if (err < 0)
        LOG(LOG_WARN, "agent", NULL, "https_proxy-ignored", KV_S("reason", fault_of(err)));
    ways->proxy.except = from_environment("no_proxy", "NO_PROXY");
    return 0;
}

int ways_init(struct ways *ways, const struct options *options, const uint8_t *pin)
{
    struct tls_client_options tls = {.pin = pin, .alpn = "culvert/1", .min_tls13 = true};
    int err;

    *ways = (struct ways){.preferred = NULL};
    err = read_proxy(ways, options);
    if (err == 0)
        err = tls_client_new(&ways->tls[false], &tls);
    tls.alpn = "http/1.1";
    if (err == 0)
        err = tls_client_new(&ways->tls[true], &tls);
    if (err < 0)
        ways_fini(ways);
    return err;
}

void ways_fini(struct ways *ways)
{
    tls_client_free(ways->tls[false]);
    tls_client_free(ways->tls[true]);
    secret_wipe(ways, sizeof(*ways));
}

void ways_prefer(struct ways *ways, const char *name)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (strcmp(way_table[i].name, name) == 0)
            ways->preferred = &way_table[i];
}

unsigned ways_order(const struct ways *ways, const char *host, const struct way *out[WAYS])
{
    bool has_proxy = proxy_is_for(&ways->proxy, host);
    unsigned count = 0;

    if (ways->preferred && (has_proxy || !ways->preferred->via_proxy))
        out[count++] = ways->preferred;
    for (unsigned i = 0; i < WAYS; i++)
        if (&way_table[i] != ways->preferred && (has_proxy || !way_table[i].via_proxy))
            out[count++] = &way_table[i];
    return count;
}
