#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *text;
} err_table[ERR_LAST - ERR_PROTOCOL] = {
    [ERR_PROTOCOL - ERR_PROTOCOL] = {"protocol", "the peer broke the protocol's rules"},
    [ERR_TOO_LONG - ERR_PROTOCOL] = {"too-long", "longer than the limit"},
    [ERR_TOO_MANY - ERR_PROTOCOL] = {"too-many", "more than the limit"},
    [ERR_UNSUPPORTED - ERR_PROTOCOL] = {"unsupported", "not supported"},
    [ERR_VERSION - ERR_PROTOCOL] = {"version", "no version in common"},
    [ERR_AUTH - ERR_PROTOCOL] = {"auth", "the credential is missing or wrong"},
    [ERR_DENIED - ERR_PROTOCOL] = {"denied", "the credential does not allow this"},
    [ERR_NOT_FOUND - ERR_PROTOCOL] = {"not-found", "there is no such thing"},
    [ERR_EXISTS - ERR_PROTOCOL] = {"exists", "there is one already"},
    [ERR_NOT_READY - ERR_PROTOCOL] = {"not-ready", "not ready yet"},
    [ERR_CLOSED - ERR_PROTOCOL] = {"closed", "the other end closed the connection"},
    [ERR_TIMEOUT - ERR_PROTOCOL] = {"timeout", "it took too long"},
    [ERR_TLS - ERR_PROTOCOL] = {"tls", "TLS failed"},
    [ERR_PIN - ERR_PROTOCOL] = {"pin", "the server's key is not the one that was pinned"},
    [ERR_STORE - ERR_PROTOCOL] = {"store", "the database refused"},
    [ERR_LIBRARY - ERR_PROTOCOL] = {"library", "a library refused"},
};

static bool is_ours(int err)
{
    return err >= ERR_PROTOCOL && err < ERR_LAST;
}

const char *err_name(int err)
{
    const char *name;

    err = abs(err);
    if (err == 0)
        return "ok";
    if (is_ours(err))
        return err_table[err - ERR_PROTOCOL].name;
    name = strerrorname_np(err);
    return name ? name : "unknown";
}

const char *err_text(int err)
{
    const char *text;

    err = abs(err);
    if (err == 0)
        return "no error";
    if (is_ours(err))
        return err_table[err - ERR_PROTOCOL].text;
    text = strerrordesc_np(err);
    return text ? text : "an unknown error";
}
