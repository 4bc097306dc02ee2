#include "agent-proto/segmenter.h"

void segmenter_init(struct segmenter *segmenter, int64_t next)
{
    *segmenter = (struct segmenter){.next = next};
}

void segmenter_break(struct segmenter *segmenter)
{
    segmenter->has_begun = false;
}

int64_t segmenter_frame(struct segmenter *segmenter, const struct tracks *tracks,
                        const struct frame *frame)
{
    int leader = tracks_find_video(tracks);
    int64_t since_us;

    if (leader < 0)
        leader = tracks_find_audio(tracks);
    if (frame->track != leader || !frame->is_key)
        return SEGMENT_NONE;
    since_us = frame->dts_us - segmenter->begun_us;
    if (segmenter->has_begun && since_us >= 0 && since_us < SEGMENTER_US)
        return SEGMENT_NONE;
    segmenter->has_begun = true;
    segmenter->begun_us = frame->dts_us;
    return segmenter->next++;
}
