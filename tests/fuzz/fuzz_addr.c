/* Addresses and networks as texts: what is taken is written and taken again, the same. */
#include <stdlib.h>
#include <string.h>

#include "net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char text[256], again[ADDR_TEXT];
    struct addr addr, second, plain;
    struct addr_net net;

    if (len >= sizeof(text))
        return 0;
    memcpy(text, bytes, len);
    text[len] = '\0';
    if (addr_parse(&addr, text) == 0) {
        plain = addr_canonical(&addr);
        if (addr_parse(&second, addr_format(&addr, again)) != 0 ||
            !addr_is_same_host(&addr, &second) || addr_port(&addr) != addr_port(&second) ||
            addr_is_private(&addr) != addr_is_private(&plain))
            abort();
    }
    if (addr_net_parse(&net, text) == 0 && !addr_net_has(&net, &net.base))
        abort();
    return 0;
}
