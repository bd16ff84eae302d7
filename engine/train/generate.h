/* generate.h - text from a model that says the next token: the prompt is read, a token is drawn, read too, and so on.
 *
 * The model has one input, a window of W tokens, and its first output gives a score per token of the vocabulary, either
 * behind every token of the window (W, V) or behind the last one (V). Scores are probabilities or logits.
 *
 * A prompt shorter than the window: where the model gives a score behind every token and does not look ahead, the
 * prompt stands at the start of the window and the score behind its last token counts, so that the model sees it and
 * nothing else. Whether it looks ahead is tried, not guessed: with two different fillings behind the prompt the scores
 * must be the same. All other models get the filling (`pad`) in front. Once the window is full it slides: the last W
 * tokens are read anew for every token.
 *
 * The n-th token depends on what stands before it, the seed and n alone (Philox): the same on every machine that
 * computes the same scores.
 */
#ifndef ENGINE_TRAIN_GENERATE_H
#define ENGINE_TRAIN_GENERATE_H

#include "engine/train/session.h"

struct generator;
struct generator_options {
    int64_t n_vocabulary;
    int32_t pad;        /* a token, for windows that the prompt does not fill */
    double temperature; /* 0: always the most probable token */
    uint64_t seed;
};

/* The session's device is started. ERR_USAGE when the model is none for text of this vocabulary. */
struct generator *generator_new(struct session *session, const struct generator_options *options, struct err *err);
void generator_free(struct generator *generator); /* NULL is fine */
int64_t generator_window(const struct generator *generator);
/* Reads a token without drawing one: the prompt, in order. */
void generator_read(struct generator *generator, int32_t token);
/* Draws the next token and reads it. At least one token has been read. ERR_FAILED when the model's scores are NaN. */
bool generator_next(struct generator *generator, int32_t *token, struct err *err) MUST_USE;
/* Whether `pad` stands in front of what was read last. */
bool generator_is_padded(const struct generator *generator);

#endif
