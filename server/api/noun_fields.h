/* server/api/noun_fields.h: what of a camera or a token comes from outside, for the fuzzer too. */
#pragma once

#include "server/api/fields.h"

/* Reads slug, name, always_on, url and sub_url (null: none any more) over what is in camera;
 * URLs are sealed to the agent. What is wrong sticks to the fields. */
void camera_fields_read(struct fields *fields, const struct store_agent *agent,
                        struct store_camera *camera);

/* Reads all of a token but its cameras' and agent's existence. egress names come from env's. */
struct api_env;
void token_fields_read(struct fields *fields, struct api_env *env, struct store_token *token);
