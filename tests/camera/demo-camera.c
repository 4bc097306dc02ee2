/* tests/camera/demo-camera.c: a camera for tests and for `make demo`.
 *
 * An RTSP server that we didn't write (GStreamer's), with a moving picture, a clock and a tone,
 * and switches for the ways in which real cameras differ and misbehave. Prints one line when it
 * listens, with the port that it got (--port 0 takes a free one).
 */
#include <glib-unix.h>
#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct settings {
    char *address, *path, *codec, *audio, *size, *user, *password, *auth;
    int port, fps, bitrate, gop, b_frames;
    int stall_after, stall_for, disconnect_after, run_for;
    gboolean udp_only, tcp_only, no_parameter_sets;
} settings = {.port = 8555, .fps = 25, .bitrate = 1000, .gop = -1, .stall_for = 10};

static const GOptionEntry options[] = {
    {"address", 0, 0, G_OPTION_ARG_STRING, &settings.address, "listen here (127.0.0.1)", "IP"},
    {"port", 0, 0, G_OPTION_ARG_INT, &settings.port, "0 takes a free one (8555)", "PORT"},
    {"path", 0, 0, G_OPTION_ARG_STRING, &settings.path, "the URL's path (/cam)", "PATH"},
    {"codec", 0, 0, G_OPTION_ARG_STRING, &settings.codec, "h264, h265 or mjpeg (h264)", "NAME"},
    {"audio", 0, 0, G_OPTION_ARG_STRING, &settings.audio,
     "aac, latm, pcmu, pcma, l16, opus or none (aac)", "NAME"},
    {"size", 0, 0, G_OPTION_ARG_STRING, &settings.size, "the picture's (640x360)", "WxH"},
    {"fps", 0, 0, G_OPTION_ARG_INT, &settings.fps, "frames a second (25)", "N"},
    {"bitrate", 0, 0, G_OPTION_ARG_INT, &settings.bitrate, "the video's (1000)", "KBIT/S"},
    {"gop", 0, 0, G_OPTION_ARG_INT, &settings.gop, "a key frame every N (2 s)", "FRAMES"},
    {"b-frames", 0, 0, G_OPTION_ARG_INT, &settings.b_frames, "between references (0)", "N"},
    {"user", 0, 0, G_OPTION_ARG_STRING, &settings.user, "ask for credentials", "NAME"},
    {"password", 0, 0, G_OPTION_ARG_STRING, &settings.password, "the user's", "WORD"},
    {"auth", 0, 0, G_OPTION_ARG_STRING, &settings.auth, "digest or basic (digest)", "HOW"},
    {"udp-only", 0, 0, G_OPTION_ARG_NONE, &settings.udp_only, "refuse interleaved TCP", NULL},
    {"tcp-only", 0, 0, G_OPTION_ARG_NONE, &settings.tcp_only, "refuse UDP", NULL},
    {"no-sdp-parameter-sets", 0, 0, G_OPTION_ARG_NONE, &settings.no_parameter_sets,
     "parameter sets only in band", NULL},
    {"stall-after", 0, 0, G_OPTION_ARG_INT, &settings.stall_after,
     "stay connected, send nothing, S seconds into each media", "S"},
    {"stall-for", 0, 0, G_OPTION_ARG_INT, &settings.stall_for,
     "how long a stall takes; 0 is for ever (10)", "S"},
    {"disconnect-after", 0, 0, G_OPTION_ARG_INT, &settings.disconnect_after,
     "close every connection S seconds into each media", "S"},
    {"run-for", 0, 0, G_OPTION_ARG_INT, &settings.run_for, "end after S seconds", "S"},
    {0}};

/* ---- the pipeline ------------------------------------------------------------------------- */

static char *launch_h264(void)
{
    bool has_b_frames = settings.b_frames > 0;

    /* Baseline has no B-frames, and x264enc picks baseline where nobody asks for more. */
    return g_strdup_printf(
        "x264enc %sspeed-preset=ultrafast bitrate=%d key-int-max=%d bframes=%d b-adapt=false "
        "option-string=scenecut=0:keyint_min=%d:sliced-threads=0:threads=1 ! "
        "video/x-h264,profile=%s ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
        has_b_frames ? "" : "tune=zerolatency ", settings.bitrate, settings.gop, settings.b_frames,
        settings.gop, has_b_frames ? "main" : "constrained-baseline");
}

static char *launch_h265(void)
{
    const char *tune = settings.b_frames > 0 ? "" : "tune=zerolatency ";

    /* Not ultrafast with B-frames: x265 then looks ahead for whole seconds. */
    return g_strdup_printf(
        "x265enc %sspeed-preset=ultrafast bitrate=%d key-int-max=%d log-level=error option-string="
        "bframes=%d:b-adapt=0:scenecut=0:open-gop=0:rc-lookahead=%d:pools=1:frame-threads=1 ! "
        "h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1",
        tune, settings.bitrate, settings.gop, settings.b_frames, settings.b_frames + 1);
}

static char *launch_mjpeg(void)
{
    return g_strdup("jpegenc quality=50 ! rtpjpegpay name=pay0 pt=26");
}

static const struct video_codec {
    const char *name;
    char *(*launch)(void);
} video_codecs[] = {{"h264", launch_h264}, {"h265", launch_h265}, {"mjpeg", launch_mjpeg}};

static const struct audio_codec {
    const char *name;
    int rate;
    const char *launch;
} audio_codecs[] = {
    {"aac", 48000, "avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay name=pay1 pt=97"},
    {"latm", 48000, "avenc_aac bitrate=64000 ! aacparse ! rtpmp4apay name=pay1 pt=97"},
    {"pcmu", 8000, "mulawenc ! rtppcmupay name=pay1 pt=0"},
    {"pcma", 8000, "alawenc ! rtppcmapay name=pay1 pt=8"},
    {"l16", 16000, "rtpL16pay name=pay1 pt=97"},
    {"opus", 48000, "opusenc bitrate=48000 ! rtpopuspay name=pay1 pt=97"},
    {"none", 0, NULL},
};

static const struct video_codec *find_video_codec(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(video_codecs); i++) {
        if (strcmp(settings.codec, video_codecs[i].name) == 0)
            return &video_codecs[i];
    }
    g_printerr("demo-camera: --codec %s is not h264, h265 or mjpeg\n", settings.codec);
    return NULL;
}

static const struct audio_codec *find_audio_codec(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(audio_codecs); i++) {
        if (strcmp(settings.audio, audio_codecs[i].name) == 0)
            return &audio_codecs[i];
    }
    g_printerr("demo-camera: --audio %s is none of aac, latm, pcmu, pcma, l16, opus, none\n",
               settings.audio);
    return NULL;
}

/* The pipeline in gst-launch's language, owned by the caller, or NULL after saying what is wrong.
 */
static char *launch_line(void)
{
    const struct video_codec *video = find_video_codec();
    const struct audio_codec *audio = find_audio_codec();
    int width, height;

    if (!video || !audio)
        return NULL;
    if (sscanf(settings.size, "%dx%d", &width, &height) != 2 || width < 16 || height < 16) {
        g_printerr("demo-camera: --size %s is not like 640x360\n", settings.size);
        return NULL;
    }

    g_autofree char *encoder = video->launch();
    GString *line = g_string_new("( ");
    g_string_append_printf(
        line,
        "videotestsrc is-live=true pattern=smpte horizontal-speed=2 ! "
        "video/x-raw,format=I420,width=%d,height=%d,framerate=%d/1 ! "
        "clockoverlay halignment=left valignment=top time-format=%%H:%%M:%%S ! "
        "timeoverlay halignment=right valignment=bottom ! queue max-size-buffers=4 ! %s ",
        width, height, settings.fps, encoder);
    if (audio->launch) {
        g_string_append_printf(line,
                               "audiotestsrc is-live=true wave=ticks freq=440 volume=0.3 "
                               "samplesperbuffer=%d ! audio/x-raw,rate=%d,channels=1 ! "
                               "audioconvert ! queue max-size-buffers=16 ! %s ",
                               audio->rate / 50, audio->rate, audio->launch);
    }
    g_string_append(line, ")");
    return g_string_free(line, FALSE);
}

/* ---- media whose SDP keeps the parameter sets to itself ------------------------------------ */

typedef struct {
    GstRTSPMedia parent;
} DemoMedia;
typedef struct {
    GstRTSPMediaClass parent;
} DemoMediaClass;
GType demo_media_get_type(void);
G_DEFINE_TYPE(DemoMedia, demo_media, GST_TYPE_RTSP_MEDIA)

static char *without_parameter_sets(const char *fmtp)
{
    g_auto(GStrv) fields = g_strsplit(fmtp, ";", -1);
    g_autoptr(GString) kept = g_string_new(NULL);

    for (char **field = fields; *field; field++) {
        if (strstr(*field, "sprop-"))
            continue;
        if (kept->len > 0)
            g_string_append_c(kept, ';');
        g_string_append(kept, *field);
    }
    return g_strdup(kept->str);
}

static void strip_media(GstSDPMedia *media)
{
    for (guint i = 0; i < gst_sdp_media_attributes_len(media); i++) {
        const GstSDPAttribute *old = gst_sdp_media_get_attribute(media, i);
        GstSDPAttribute stripped;

        if (strcmp(old->key, "fmtp") != 0)
            continue;
        g_autofree char *value = without_parameter_sets(old->value);
        gst_sdp_attribute_set(&stripped, "fmtp", value);
        gst_sdp_media_replace_attribute(media, i, &stripped);
    }
}

static gboolean demo_media_setup_sdp(GstRTSPMedia *media, GstSDPMessage *sdp, GstSDPInfo *info)
{
    if (!GST_RTSP_MEDIA_CLASS(demo_media_parent_class)->setup_sdp(media, sdp, info))
        return FALSE;
    for (guint i = 0; i < gst_sdp_message_medias_len(sdp); i++)
        strip_media((GstSDPMedia *)gst_sdp_message_get_media(sdp, i));
    return TRUE;
}

static void demo_media_class_init(DemoMediaClass *class)
{
    GST_RTSP_MEDIA_CLASS(class)->setup_sdp = demo_media_setup_sdp;
}

static void demo_media_init(DemoMedia *media)
{
    (void)media;
}

/* ---- misbehaviour -------------------------------------------------------------------------- */

/* Each probe counts from its first packet, so each new media stalls once more. */
static GstPadProbeReturn stall_probe(GstPad *pad, GstPadProbeInfo *info, gpointer began)
{
    gint64 *first = began, now = g_get_monotonic_time();
    gint64 begin, end;

    (void)pad;
    (void)info;
    if (*first == 0)
        *first = now;
    begin = *first + settings.stall_after * G_USEC_PER_SEC;
    end = settings.stall_for > 0 ? begin + settings.stall_for * G_USEC_PER_SEC : G_MAXINT64;
    return now >= begin && now < end ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static void add_stall(GstElement *bin, const char *name)
{
    g_autoptr(GstElement) payloader = gst_bin_get_by_name(GST_BIN(bin), name);

    if (!payloader)
        return;
    g_autoptr(GstPad) pad = gst_element_get_static_pad(payloader, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, stall_probe,
                      g_new0(gint64, 1), g_free);
}

static GstRTSPFilterResult remove_client(GstRTSPServer *server, GstRTSPClient *client, gpointer no)
{
    (void)server;
    (void)client;
    (void)no;
    return GST_RTSP_FILTER_REMOVE;
}

static guint disconnect_source;

static gboolean on_disconnect(gpointer server)
{
    disconnect_source = 0;
    gst_rtsp_server_client_filter(server, remove_client, NULL);
    return G_SOURCE_REMOVE;
}

static void on_media_configure(GstRTSPMediaFactory *factory, GstRTSPMedia *media, gpointer server)
{
    (void)factory;
    if (settings.stall_after > 0) {
        g_autoptr(GstElement) bin = gst_rtsp_media_get_element(media);
        add_stall(bin, "pay0");
        add_stall(bin, "pay1");
    }
    if (settings.disconnect_after > 0 && disconnect_source == 0)
        disconnect_source =
            g_timeout_add_seconds((guint)settings.disconnect_after, on_disconnect, server);
}

/* ---- the server ---------------------------------------------------------------------------- */

static bool add_user(GstRTSPServer *server, GstRTSPMediaFactory *factory)
{
    bool is_basic = strcmp(settings.auth, "basic") == 0;
    g_autoptr(GstRTSPAuth) auth = gst_rtsp_auth_new();
    g_autoptr(GstRTSPToken) token =
        gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);

    if (!is_basic && strcmp(settings.auth, "digest") != 0) {
        g_printerr("demo-camera: --auth %s is neither digest nor basic\n", settings.auth);
        return false;
    }
    if (is_basic) {
        g_autofree char *basic = gst_rtsp_auth_make_basic(settings.user, settings.password);
        gst_rtsp_auth_add_basic(auth, basic, token);
        gst_rtsp_auth_set_supported_methods(auth, GST_RTSP_AUTH_BASIC);
    } else {
        gst_rtsp_auth_add_digest(auth, settings.user, settings.password, token);
        gst_rtsp_auth_set_supported_methods(auth, GST_RTSP_AUTH_DIGEST);
    }
    gst_rtsp_server_set_auth(server, auth);
    gst_rtsp_media_factory_add_role(factory, "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS,
                                    G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
                                    G_TYPE_BOOLEAN, TRUE, NULL);
    return true;
}

static GstRTSPMediaFactory *factory_new(GstRTSPServer *server)
{
    g_autofree char *line = launch_line();
    GstRTSPMediaFactory *factory;

    if (!line)
        return NULL;
    factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(factory, line);
    gst_rtsp_media_factory_set_shared(factory, TRUE);
    if (settings.udp_only)
        gst_rtsp_media_factory_set_protocols(factory, GST_RTSP_LOWER_TRANS_UDP);
    if (settings.tcp_only)
        gst_rtsp_media_factory_set_protocols(factory, GST_RTSP_LOWER_TRANS_TCP);
    if (settings.no_parameter_sets)
        gst_rtsp_media_factory_set_media_gtype(factory, demo_media_get_type());
    g_signal_connect(factory, "media-configure", G_CALLBACK(on_media_configure), server);
    if (settings.user && !add_user(server, factory)) {
        g_object_unref(factory);
        return NULL;
    }
    return factory;
}

static gboolean on_cleanup(gpointer server)
{
    g_autoptr(GstRTSPSessionPool) pool = gst_rtsp_server_get_session_pool(server);

    gst_rtsp_session_pool_cleanup(pool);
    return G_SOURCE_CONTINUE;
}

static gboolean on_quit(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static int serve(GstRTSPServer *server)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autofree char *port = g_strdup_printf("%d", settings.port);

    gst_rtsp_server_set_address(server, settings.address);
    gst_rtsp_server_set_service(server, port);
    if (gst_rtsp_server_attach(server, NULL) == 0) {
        g_printerr("demo-camera: can't listen on %s:%s\n", settings.address, port);
        return 1;
    }
    g_timeout_add_seconds(2, on_cleanup, server);
    g_unix_signal_add(SIGTERM, on_quit, loop);
    g_unix_signal_add(SIGINT, on_quit, loop);
    if (settings.run_for > 0)
        g_timeout_add_seconds((guint)settings.run_for, on_quit, loop);

    g_print("camera: rtsp://%s:%d%s %s %s %d fps, audio %s\n", settings.address,
            gst_rtsp_server_get_bound_port(server), settings.path, settings.codec, settings.size,
            settings.fps, settings.audio);
    fflush(stdout);
    g_main_loop_run(loop);
    return 0;
}

static void set_default(char **value, const char *fallback)
{
    if (!*value)
        *value = g_strdup(fallback);
}

static bool settings_read(int *argc, char ***argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- a camera with a clock and a tone");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, argc, argv, &error)) {
        g_printerr("demo-camera: %s\n", error->message);
        return false;
    }
    set_default(&settings.address, "127.0.0.1");
    set_default(&settings.path, "/cam");
    set_default(&settings.codec, "h264");
    set_default(&settings.audio, "aac");
    set_default(&settings.size, "640x360");
    set_default(&settings.password, "");
    set_default(&settings.auth, "digest");
    if (settings.fps < 1 || settings.fps > 120) {
        g_printerr("demo-camera: --fps %d is not between 1 and 120\n", settings.fps);
        return false;
    }
    if (settings.gop < 1)
        settings.gop = 2 * settings.fps;
    return true;
}

int main(int argc, char **argv)
{
    g_autoptr(GstRTSPServer) server = NULL;
    g_autoptr(GstRTSPMountPoints) mounts = NULL;
    GstRTSPMediaFactory *factory;

    if (!settings_read(&argc, &argv))
        return 2;
    server = gst_rtsp_server_new();
    mounts = gst_rtsp_server_get_mount_points(server);
    factory = factory_new(server);
    if (!factory)
        return 2;
    gst_rtsp_mount_points_add_factory(mounts, settings.path, factory);
    return serve(server);
}
