SRC_server += server/admit.c server/config.c server/directory.c server/follow.c server/local_api.c
SRC_server += server/metrics.c server/mux.c server/options.c server/pages.c server/relay.c
SRC_server += server/relay_camera.c server/serve.c server/signals.c server/tell.c server/ticket.c
SRC_server += server/usage.c server/viewer_count.c server/worker.c
