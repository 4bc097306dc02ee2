/* auth/key.h: the server's key and what it makes; private to auth/. */
#pragma once

#include <stdint.h>

enum { AUTH_KEY = 32 };

struct auth {
    uint8_t key[AUTH_KEY];
};
