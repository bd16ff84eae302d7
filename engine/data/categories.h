/* categories.h - texts to numbers: every different text gets the next number; sorted afterwards, as scikit-learn's
 * LabelEncoder does. */
#ifndef ENGINE_DATA_CATEGORIES_H
#define ENGINE_DATA_CATEGORIES_H

#include <stddef.h>
#include <stdint.h>

struct categories {
    const char **texts; /* lent, in order of first sight */
    size_t n, capacity;
    int32_t *slots; /* hash table of numbers + 1; 0 = free */
    size_t n_slots;
};

/* The number of a text, a new one if it was not seen before. The text must stay valid. */
int32_t categories_add(struct categories *c, const char *text);
/* Fills rank[number] = place in sorted order (bytewise), n entries, and sorts texts likewise. */
void categories_sort(struct categories *c, int32_t *rank);
void categories_release(struct categories *c);

#endif
