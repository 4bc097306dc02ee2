/* server/api/backup.c: an online copy of the database, to a new file on the server's machine. */
#include <errno.h>
#include <jansson.h>

#include "server/api/call.h"

static void answer(struct api_call *call)
{
    api_respond(call->request, 201, json_pack("{s:s}", "path", call->text));
}

static void on_done(void *owner, int err)
{
    struct api_call *call = owner;
    struct store_done rest = api_call_done(call);

    /* A path that can't be is the asker's mistake, not ours. */
    if (call->request && err < 0 && err > -ERR_PROTOCOL && err != -ENOSPC && err != -EDQUOT &&
        err != -ENOMEM) {
        api_respond_wrong(call->request, "path", err_text(err));
        call->request = NULL;
    }
    rest.call(rest.owner, err);
}

void backup_post(void *owner, struct http_request *request)
{
    struct api_env *env = owner;
    char path[1024] = "";
    struct fields fields;
    struct api_call *call;
    struct store_done done;

    if (!api_fields_begin(&fields, request))
        return;
    fields_require(&fields, "path");
    fields_text(&fields, "path", path, sizeof(path), &check_path);
    if (!api_fields_end(&fields, request))
        return;
    call = api_call_new(env, request, "backup", answer);
    if (!call)
        return;
    snprintf(call->text, sizeof(call->text), "%s", path);
    done = api_call_done(call);
    done.call = on_done;
    store_backup(env->store, path, done);
}
