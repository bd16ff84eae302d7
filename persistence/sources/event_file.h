/* event_file.h - what TensorFlow's summary writers (and tensorboardX, PyTorch's SummaryWriter) put into a file, as
 * values; no files here.
 *
 *     if (!event_parse(data, size_bytes, &event)) ...    the payload of one record: tensorflow.Event
 *     struct wire values = event.summary;
 *     while (event_next(&values, &value)) ...            tensorflow.Summary.Value: a tag and what stands under it
 *
 * Everything points into the payload.
 */
#ifndef PERSISTENCE_SOURCES_EVENT_FILE_H
#define PERSISTENCE_SOURCES_EVENT_FILE_H

#include "base/json.h"
#include "persistence/sources/wire.h"

struct event {
    double time; /* Unix seconds */
    int64_t step;
    struct wire summary; /* empty: the event is about something else */
};
enum event_kind { EVENT_NOTHING, EVENT_SCALAR, EVENT_TEXT, EVENT_IMAGE, EVENT_HPARAMS };
struct event_value {
    const char *tag,
        *plugin; /* not terminated; plugin may be empty: writers name it with the first value of a tag only */
    size_t tag_length, plugin_length;
    enum event_kind kind; /* of what is in it; a tensor of one number is a scalar, of strings text */
    double scalar;
    const uint8_t *data; /* TEXT: the words; IMAGE: the first encoded picture; HPARAMS: the plugin's message */
    size_t size_bytes;
    struct wire more; /* IMAGE: of the tensor, behind the first picture */
};

bool event_parse(const uint8_t *data, size_t size_bytes, struct event *event);
bool event_next(struct wire *summary, struct event_value *value); /* false: no more, or what follows is damaged */
/* The next picture of several that were written as one value; false: there is none. */
bool event_next_image(struct event_value *image);
/* ".png" or ".jpg" for the bytes of such a picture, NULL: it is of another kind. */
const char *event_image_suffix(const uint8_t *data, size_t size_bytes);

/* The message of the hparams plugin: settings are put into config, which is an object. *end: 0 = it does not say, 1 =
 * success, 2 = failure. */
void event_hparams(const uint8_t *data, size_t size_bytes, json_t *config, int *end);

#endif
