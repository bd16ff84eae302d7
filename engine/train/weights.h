/* weights.h - variables of a session and the datasets of a model file: from the file onto the device, and from host
 * copies to what is written. */
#ifndef ENGINE_TRAIN_WEIGHTS_H
#define ENGINE_TRAIN_WEIGHTS_H

#include "engine/train/session.h"

/* Before the variables get their storage: compares the weights of session->file with the architecture, decides whether
 * its optimizer state is taken over (where the session trains and wants it; else session->warnings says why not) and
 * marks what needs no first value. */
bool weights_prepare(struct session *session, struct err *err) MUST_USE;
/* After that: weights and optimizer state of session->file in one pass, then session->weights_file
 * (model.skip_mismatch). What is not kept is said in session->warnings. After a failure the variables hold anything. */
bool weights_load(struct session *session, struct err *err) MUST_USE;

/* Fills weights[i] for the saved variables (session->n_saved): data points into `host`, where they lie one behind the
 * other, each aligned to 64 bytes. */
void weights_describe(const struct session *session, const char *host, struct weight *weights);
/* The same with data pointing at the variables themselves; only where the device's memory is the host's. */
void weights_describe_live(const struct session *session, struct weight *weights);
/* Bytes of such a host copy; and the copying itself. */
size_t weights_host_bytes(const struct session *session);
void weights_download(struct session *session, char *host);
/* The same for the variables of the model alone (kept best weights): they come first in the order. */
size_t weights_model_bytes(const struct session *session);
int weights_n_model(const struct session *session);
void weights_download_model(struct session *session, char *host);
void weights_upload_model(struct session *session, const char *host);

#endif
