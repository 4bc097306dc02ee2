/* agent-proto/text.h: text from the other end, made fit to be shown and logged. */
#pragma once

#include <stddef.h>

/* Copies what fits, cut between characters; what is no UTF-8 or a control character becomes '?'.
 * NULL reads as "". Returns out. */
const char *text_clean(char *out, size_t room, const char *text);
